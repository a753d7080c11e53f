import type { OnDemandOptions, ReloadEngineOptions } from '../../api/options.js'
import type { MaterialSource } from '../../api/source.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { ifInstalled } from '../if-installed.js'
import { createRedisClient } from '../redis-client.js'
import type { SourceConfig } from './source-config.js'

/** Options of the engine with descriptions of sources in place of sources. */
export interface EngineConfig extends Omit<ReloadEngineOptions, 'source' | 'hosts'> {
  readonly source?: SourceConfig
  readonly hosts?: Exclude<Hosts, HostsOnDemand> | { readonly onDemand: OnDemandConfig }
}

/** Hosts on demand; `true` stands for {@link EngineConfig.source}. */
export interface OnDemandConfig extends Omit<OnDemandOptions, 'source'> {
  readonly source: true | SourceConfig
}

type Hosts = NonNullable<ReloadEngineOptions['hosts']>
type HostsOnDemand = { readonly onDemand: OnDemandOptions }

/**
 * Creates the sources. None connects before the engine reads it.
 *
 * @throws ReloadError `OPTIONS_INVALID`; CommandError if a package is not installed.
 */
export async function withSources({ source, hosts, ...options }: EngineConfig): Promise<ReloadEngineOptions> {
  return {
    ...options,
    ...(hosts === undefined ? {} : { hosts: await withOnDemandSource(hosts) }),
    ...(source === undefined ? {} : { source: await createSource(source) }),
  }
}

async function withOnDemandSource(hosts: NonNullable<EngineConfig['hosts']>): Promise<Hosts> {
  if (!isOnDemand(hosts)) return hosts as Exclude<Hosts, HostsOnDemand>
  const { source } = hosts.onDemand
  return { onDemand: { ...hosts.onDemand, source: source === true ? source : await createSource(source) } }
}

function isOnDemand(hosts: EngineConfig['hosts']): hosts is { onDemand: OnDemandConfig } {
  return typeof hosts === 'object' && hosts !== null && 'onDemand' in hosts
}

async function createSource({ type, options }: SourceConfig): Promise<MaterialSource> {
  switch (type) {
    case 'https': {
      const { httpsSource } = await import('../../sources/https/index.js')
      return httpsSource(options)
    }
    case 'spiffe': {
      await ifInstalled('@grpc/grpc-js', () => import('@grpc/grpc-js'))
      const { spiffeSource } = await import('../../sources/spiffe/index.js')
      return spiffeSource(options)
    }
    case 'redis': {
      const { url, passwordFile, caFile, ...rest } = options
      if (rest['identity'] === undefined && rest['hosts'] !== true) throw noIdentity()
      const client = await createRedisClient({ url, passwordFile, caFile }, 'source of type redis')
      const { redisSource } = await import('../../sources/redis/index.js')
      return redisSource({ ...rest, client })
    }
  }
}

function noIdentity(): CommandError {
  const message =
    'a source of type redis needs --source-identity NAME, or `identity` in the configuration file: the identity to be served'
  return new CommandError(EXIT.usage, message)
}
