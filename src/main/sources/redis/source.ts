import {
  type Delivery,
  type HostDelivery,
  type HostRequest,
  type MaterialSource,
  type ReadRequest,
  SourceError,
} from '../../api/source.js'
import { type Clock, systemClock } from '../../base/clock.js'
import { createWiping } from '../wiping.js'
import { followChanges } from './changes.js'
import type { Argument } from './client.js'
import { createReadHash } from './hashes.js'
import { keysBelow, type Subject } from './keys.js'
import { type RedisSourceOptions, resolveRedisOptions } from './options.js'
import { ReceivedHosts } from './received-hosts.js'
import type { Entry } from './replies.js'
import { createReporter } from './reporter.js'
import { createSession } from './session.js'
import { withTimeLimit } from './time-limit.js'

/**
 * Material in Redis or Valkey: one hash for each identity, which is read by one command and cannot be torn, and a stream of
 * changes. See `docs/sources/redis.md` for the keys. Writers use {@link publishToRedis}, or `redis-cli`.
 *
 * Only a hash with the field `withdrawn` withdraws material (`SOURCE_WITHDRAWN`). A hash that is missing is an error: a server
 * that was restarted empty, an eviction, or a replica that lags states nothing about the material.
 *
 * The source opens two connections with the options of `client`, and reports to the store what this process serves
 * (`certswap fleet`).
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function redisSource(options: RedisSourceOptions): MaterialSource {
  return createRedisSource(options, systemClock)
}

const REPORT_MS = 5_000
/** A server that does not answer must not delay the end of the process. */
const FAREWELL_MS = 1_000

/** @internal */
export function createRedisSource(input: RedisSourceOptions, clock: Clock): MaterialSource {
  const { client, identity, hosts, prefix, replica, reportTtlSeconds, unwrapKeyFile } =
    resolveRedisOptions(input)
  const keys = keysBelow(prefix)
  const life = new AbortController()
  const watching = new AbortController()
  const session = createSession(client, clock, life.signal)
  const wiping = createWiping(clock)
  const readHash = createReadHash({ keys, unwrapKeyFile, wiping, send: session.command })
  const reporter =
    identity === null
      ? null
      : createReporter({
          ...{ identity, replica, clock, ttlSeconds: reportTtlSeconds, key: keys.report(identity, replica) },
          send: (args: readonly Argument[]) =>
            withTimeLimit(clock, REPORT_MS, life.signal, (signal) => session.command(args, signal)),
        })
  let following: Promise<void> = Promise.resolve()
  let newestRevision = -1n
  const received = new ReceivedHosts()
  // A source that only reads, as a check does, must not appear in the table, or change the report of a server.
  let isServing = false

  const read = async (own: string, { version, signal }: ReadRequest): Promise<Delivery | 'unchanged'> => {
    const subject: Subject = { kind: 'identity', name: own }
    const found = await readHash(subject, version, signal)
    switch (found.kind) {
      case 'unchanged':
        return found.kind
      case 'missing':
        throw missing(keys.of(subject), 'identity')
      case 'withdrawn':
        if (found.revision !== null && found.revision < newestRevision) throw lagging(subject)
        throw new SourceError('SOURCE_WITHDRAWN', `the identity ${own} was withdrawn in Redis`)
      case 'delivery': {
        const revision = BigInt(found.delivery.revision ?? -1)
        if (revision > newestRevision) newestRevision = revision
        return found.delivery
      }
    }
  }

  const readHost = async ({
    name,
    version,
    signal,
  }: HostRequest): Promise<HostDelivery | 'unchanged' | 'none'> => {
    const subject: Subject = { kind: 'host', name }
    const found = await readHash(subject, version, signal)
    switch (found.kind) {
      case 'missing':
        // A name that was served may be missing because of an eviction, or on a replica that lags.
        if (version !== null || received.has(name)) throw missing(keys.of(subject), 'host')
        break
      case 'withdrawn':
        if (received.isNewer(name, found.revision)) throw lagging(subject)
        received.delete(name)
        break
      case 'delivery':
        received.add(name, BigInt(found.delivery.revision ?? -1))
        return hostDelivery(name, found.delivery)
    }
    reporter?.forgetHost(name)
    return found.kind === 'unchanged' ? 'unchanged' : 'none'
  }

  return {
    name: 'redis',
    identity: [prefix, identity ?? ''].join(' '),
    async read(request) {
      if (identity === null)
        throw new SourceError('SOURCE_INVALID', 'redisSource: `identity` is not set; set it')
      try {
        const result = await read(identity, request)
        if (isServing) reporter?.failure('read', null)
        return result
      } catch (error) {
        if (isServing && error instanceof SourceError) reporter?.failure('read', error)
        throw error
      }
    },
    ...(hosts ? { readHost } : {}),
    watch(changed, trouble) {
      isServing = true
      following = followChanges({
        ...{ client, clock, stream: keys.changes, life: watching.signal },
        entry({ fields }: Entry) {
          if (identity !== null && fields.get('identity')?.toString() === identity) changed()
          const host = fields.get('host')?.toString()
          if (hosts && host !== undefined && HOST_NAME.test(host)) changed(host)
        },
        connected() {
          changed()
          reporter?.flush()
        },
        trouble(error) {
          reporter?.failure('changes', error)
          trouble?.(error)
        },
      })
    },
    report: (report) => reporter?.outcome(report),
    async close() {
      watching.abort()
      const cancel = clock.after(FAREWELL_MS, () => life.abort())
      await following
      if (isServing) await reporter?.close()
      cancel()
      life.abort()
      session.end()
      wiping.close()
    },
  }
}

/** A DNS name in lower case, as far as needed to pass it on. */
const HOST_NAME = /^(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,40}$/

function hostDelivery(name: string, { version, revision, pairs, ca, crl }: Delivery): HostDelivery {
  const [pair, ...others] = pairs
  if (!pair || others.length > 0 || ca || crl) {
    throw new SourceError(
      'SOURCE_INVALID',
      `the host ${name} in Redis has more than one pair, or \`ca\` or \`crl\`; remove it`,
    )
  }
  return { ...pair, version, ...(revision === undefined ? {} : { revision }) }
}

function missing(key: string, kind: Subject['kind']): SourceError {
  return new SourceError(
    'SOURCE_INVALID',
    `Redis has no key ${key}; publish the ${kind}, or withdraw it explicitly`,
  )
}

function lagging({ kind, name }: Subject): SourceError {
  return new SourceError(
    'SOURCE_UNREACHABLE',
    `Redis has a withdrawal of the ${kind} ${name} that is older than the material that this process received; wait until the replica is current`,
  )
}
