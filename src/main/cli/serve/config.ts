import { isGivenAsFile, MATERIAL_ROWS, type MaterialOptionName } from '../../base/material-options.js'
import { withoutUndefined } from '../../base/refusal.js'
import type { DrainOptions } from '../../drain/options.js'
import type { ShareOptions } from '../../fleet/index.js'
import { defaultControlPath } from '../control-path.js'
import { type ListenAddress, parseAddress, parseUpstream, type UpstreamAddress } from './address.js'
import { absoluteUpstream, readConfigFile } from './config-file.js'
import type { EngineConfig } from './source.js'
import { type SourceFlags, sourceOptions } from './source-flags.js'

/** The flags of the table of material options, by the names that commander gives them. */
type FileFlags = { readonly [Name in MaterialOptionName as FlagName<Name>]?: string | string[] }
type FlagName<Name extends MaterialOptionName> = Name extends 'passphrase' ? 'passphraseFile' : Name

/** The flags of every command that reads material. */
export interface MaterialFlags extends FileFlags, SourceFlags {
  readonly unknownHosts?: 'default' | 'refuse'
  readonly requestCert?: boolean
  readonly purpose?: 'server' | 'client'
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
}

export interface ServeFlags extends MaterialFlags {
  readonly config?: string
  readonly listen?: string
  readonly upstream?: string
  readonly processes?: number
  /** In seconds. */
  readonly memberTimeout?: number
  readonly memberPatience?: number
  /** Path of the control socket; `false` for none. */
  readonly control?: string | false
  readonly autoReloadInterval?: number
  /** In seconds. */
  readonly lameDuck?: number
  /** In seconds. */
  readonly drainDeadline?: number
  readonly onTrustRemoved?: 'keep' | 'drain'
  readonly logLevel?: string
  readonly ffi?: boolean
}

/** The resolved configuration of `serve`. */
export interface ServeConfig {
  readonly listen: ListenAddress
  /** Number of serving processes; 1 means this process. */
  readonly processes: number
  /** Time limits of the serving processes; checked by `shareEngine()`. */
  readonly members: Pick<ShareOptions, 'timeoutMs' | 'patience'>
  /** Target of the decrypted streams; `null` to answer requests here. */
  readonly upstream: UpstreamAddress | null
  /** A path that was given (`wanted`) must work; the default path may fail. */
  readonly control: { readonly path: string; readonly wanted: boolean } | null
  readonly logLevel: string
  /** Checked by `createDrain()`. */
  readonly drain: Pick<DrainOptions, 'lameDuckMs' | 'deadlineMs' | 'onTrustRemoved'>
  /** Whether systemd is notified by `node:ffi`. */
  readonly ffi: boolean
  /** Checked by the factories of its sources and by `createReloadEngine()`. */
  readonly engine: EngineConfig
}

const DEFAULT_LISTEN = '127.0.0.1:8443'
const DEFAULT_INTERVAL_SECONDS = 10

/**
 * Flags override the configuration file, which overrides the defaults. Paths in the file are relative to it.
 *
 * @throws CommandError `EXIT.usage`, or `EXIT.refused` if every user can write to the file.
 */
export async function resolveConfig(flags: ServeFlags): Promise<ServeConfig> {
  const {
    listen,
    upstream,
    processes,
    memberTimeout,
    memberPatience,
    control,
    logLevel,
    lameDuck,
    drainDeadline,
    onTrustRemoved,
    ffi,
    ...file
  } = flags.config === undefined ? {} : await readConfigFile(flags.config)
  return {
    listen: parseAddress(flags.listen ?? listen ?? DEFAULT_LISTEN),
    upstream: upstreamConfig(flags.upstream ?? upstream),
    processes: flags.processes ?? processes ?? 1,
    members: membersConfig(flags.memberTimeout ?? memberTimeout, flags.memberPatience ?? memberPatience),
    control: controlConfig(flags.control ?? control),
    logLevel: flags.logLevel ?? logLevel ?? 'info',
    drain: drainConfig({
      lameDuck: flags.lameDuck ?? lameDuck,
      drainDeadline: flags.drainDeadline ?? drainDeadline,
      onTrustRemoved: flags.onTrustRemoved ?? onTrustRemoved,
    }),
    ffi: flags.ffi ?? ffi ?? false,
    engine: {
      autoReloadInterval: DEFAULT_INTERVAL_SECONDS,
      ...(file as EngineConfig),
      ...(flags.autoReloadInterval === undefined ? {} : { autoReloadInterval: flags.autoReloadInterval }),
      ...materialOptions(flags, (file as EngineConfig).tls),
      ...sourceOptions({ flags: { ...flags }, file }),
    },
  }
}

function controlConfig(given: string | false | undefined): ServeConfig['control'] {
  if (given === false) return null
  return { path: given ?? defaultControlPath(), wanted: given !== undefined }
}

function upstreamConfig(given: string | undefined): UpstreamAddress | null {
  // Absolute, because the working directory may change before a connection is made.
  return given === undefined ? null : parseUpstream(absoluteUpstream(given))
}

function membersConfig(timeout: number | undefined, patience: number | undefined): ServeConfig['members'] {
  return {
    ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
    ...(patience === undefined ? {} : { patience }),
  }
}

type DrainSettings = {
  readonly [K in 'lameDuck' | 'drainDeadline' | 'onTrustRemoved']: ServeFlags[K] | undefined
}

function drainConfig({ lameDuck, drainDeadline, onTrustRemoved }: DrainSettings): ServeConfig['drain'] {
  return {
    ...(lameDuck === undefined ? {} : { lameDuckMs: lameDuck * 1000 }),
    ...(drainDeadline === undefined ? {} : { deadlineMs: drainDeadline * 1000 }),
    ...(onTrustRemoved === undefined ? {} : { onTrustRemoved }),
  }
}

/** Material flags as engine options; omitted flags are left out. */
function materialOptions(flags: MaterialFlags, tls: EngineConfig['tls'] = {}): EngineConfig {
  const { minVersion, unknownHosts, requestCert, purpose } = flags
  const files = MATERIAL_ROWS.map(({ name, kind }) => {
    const value = flags[kind === 'passphrase' ? 'passphraseFile' : (name as keyof FileFlags)]
    return [name, isGivenAsFile(kind) && value !== undefined ? { file: value } : value] as const
  })
  return {
    ...withoutUndefined(Object.fromEntries(files)),
    ...withoutUndefined({ unknownHosts, requestCert, purpose }),
    ...(minVersion === undefined ? {} : { tls: { ...tls, minVersion } }),
  }
}
