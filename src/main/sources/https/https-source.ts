import {
  type Delivery,
  type HostRequest,
  type MaterialSource,
  type ReadRequest,
  SourceError,
} from '../../api/source.js'
import { type Clock, systemClock } from '../../base/clock.js'
import { untilAborted } from '../../base/until-aborted.js'
import { createWiping } from '../wiping.js'
import { createCredentialReader } from './credentials.js'
import { DeliveredVersions } from './delivered-versions.js'
import { refused, tooLate } from './failures.js'
import { type HttpsSourceOptions, resolveHttpsOptions } from './options.js'
import { startPoll } from './poll.js'
import { type Content, getResource, type Resource } from './resource.js'
import { entityTagOf } from './version.js'

/**
 * A source that gets certificates and keys from an HTTPS service. An unchanged identity costs one request, which the service
 * answers with 304. If the service fails, or answers anything but PEM, 204 or 410, the last good material stays in service.
 * Environment variables for proxies have no effect.
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function httpsSource(options: HttpsSourceOptions): MaterialSource {
  return createHttpsSource(options, { clock: systemClock, random: Math.random })
}

/** What tests replace. @internal */
export interface HttpsSourceParts {
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
}

/** @internal */
export function createHttpsSource(
  given: HttpsSourceOptions,
  { clock, random }: HttpsSourceParts,
): MaterialSource {
  const options = resolveHttpsOptions(given)
  const limit = { option: 'maxBytes', maxBytes: options.maxBytes } as const
  const hostLimit = { option: 'maxHostBytes', maxBytes: options.maxHostBytes } as const
  const { url, trustUrl, hostsUrl, pollSeconds } = options
  const credentials = createCredentialReader(options.files)
  const keys = createWiping(clock)
  const delivered = new DeliveredVersions()
  /** They are public, so that they can be kept for the next delivery. */
  let anchors: Content | null = null
  let stopPoll: () => void = () => {}
  /** No poll before this monotonic time, which the service asked for by `Retry-After`. */
  let quietUntilMs = 0

  async function get(resource: Resource, entityTag: string | null, signal: AbortSignal) {
    const current = await untilAborted(credentials.current(), signal, () => tooLate(resource))
    return await getResource(resource, { credentials: current, signal, entityTag, wallMs: clock.wallMs() })
  }

  async function currentAnchors(resource: Resource, signal: AbortSignal): Promise<Content> {
    const answer = await get(resource, anchors && entityTagOf(anchors.version), signal)
    // Without the anchors, the delivery would be half of one, and would remove all trust.
    if (answer === 'absent')
      throw refused(resource, 'the service states that there are none; remove `trustUrl`')
    if (answer !== 'unchanged') anchors = answer
    return anchors as Content
  }

  async function pairOf(resource: Resource, { key, version: served, suffix, signal }: PairRequest) {
    const isKnown = delivered.has(key, served)
    const tag = isKnown ? entityTagOf(served as string) : null
    // If the anchors changed, the identity is needed too, because a delivery is complete.
    const isWhole = tag !== null && tag + suffix === served
    const answer = await get(resource, isWhole ? tag : null, signal)
    if (typeof answer === 'string') return answer
    const version = answer.version + suffix
    if (isKnown && version === served) {
      answer.bytes.fill(0)
      return 'unchanged'
    }
    delivered.set(key, version)
    keys.later([answer.bytes])
    return { bundle: answer.bytes, version }
  }

  async function read(request: ReadRequest): Promise<Delivery | 'unchanged'> {
    try {
      return await readAll(request)
    } catch (error) {
      const { retryAfterMs = 0 } = error as SourceError
      quietUntilMs = clock.monotonicMs() + retryAfterMs
      throw error
    }
  }

  async function readAll({ version, signal }: ReadRequest): Promise<Delivery | 'unchanged'> {
    if (url === null) throw new SourceError('SOURCE_INVALID', NO_URL)
    // First, so that no key has to be held while they are fetched.
    const ca =
      trustUrl && (await currentAnchors({ label: 'the trust anchors', url: trustUrl, limit }, signal))
    const identity: Resource = { label: 'the identity', url, limit }
    const suffix = ca ? ` ${ca.version}` : ''
    const pair = await pairOf(identity, { key: null, version, suffix, signal })
    if (pair === 'unchanged') return pair
    if (pair === 'absent')
      throw refused(identity, 'the service states that there is none', 'SOURCE_WITHDRAWN')
    return { version: pair.version, pairs: [{ bundle: pair.bundle }], ...(ca && { ca: [ca.bytes] }) }
  }

  async function readHost(from: URL, { name, version, signal }: HostRequest) {
    const host: Resource = { label: `host ${name}`, url: withServerName(from, name), limit: hostLimit }
    const pair = await pairOf(host, { key: name, version, suffix: '', signal })
    return pair === 'absent' ? 'none' : pair
  }

  return {
    name: options.name,
    identity: String(url ?? hostsUrl),
    read,
    ...(hostsUrl && { readHost: (request) => readHost(hostsUrl, request) }),
    // Hosts on demand are refreshed by the engine, for as long as they are used.
    ...(url !== null &&
      pollSeconds > 0 && {
        watch(changed) {
          stopPoll = startPoll({ clock, random, seconds: pollSeconds }, () => {
            if (clock.monotonicMs() >= quietUntilMs) changed()
          })
        },
      }),
    async close() {
      stopPoll()
      credentials.close()
      keys.close()
    },
  }
}

const NO_URL =
  'this source has no identity, only hosts on demand; set the option `url` of httpsSource, or serve the identity from files'

interface PairRequest extends ReadRequest {
  /** The server name; `null` for the identity. */
  readonly key: string | null
  /** The part of the version that does not come from this resource. */
  readonly suffix: string
}

/** The contract of `get_certificate http` of Caddy. */
function withServerName(from: URL, name: string): URL {
  const url = new URL(from)
  url.searchParams.set('server_name', name)
  return url
}
