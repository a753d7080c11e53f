import { type HostRequest, SourceError } from '../api/source.js'
import type { Serving } from '../attach/serving.js'
import type { Clock } from '../base/clock.js'
import { type Deferred, deferred } from '../base/deferred.js'
import type { Logger } from '../base/logger.js'
import type { DeliveredHost, HostAnswer } from '../feed/accept-host.js'
import type { OnDemandHosts } from '../feed/on-demand-hosts.js'
import type { Link } from './link.js'
import type { ToPrimary, WireHost, WireHostAnswer } from './messages.js'
import { hostOf, wipeWire } from './wire.js'

/** A host that the primary has prepared. Its version is the number that the primary gave it. */
interface SentHost extends DeliveredHost {
  readonly host: WireHost
}

/** The primary gives up first, so that a slow source is not mistaken for a primary that does not answer. */
const LONGER_MS = 500

/**
 * The hosts on demand of a member. They have the primary as their source, with the same limits and the same renewals as in
 * the engine of the primary, which requests, judges and rehearses each host once for all members.
 */
export class MemberHosts {
  readonly #link: Link<ToPrimary>
  readonly #requests = new Map<number, Deferred<unknown>>()
  #lastId = 0
  #hosts: OnDemandHosts<SentHost> | null = null
  #closed = false

  constructor(link: Link<ToPrimary>) {
    this.#link = link
  }

  /** Serves hosts on demand, if the primary does. Expects the first generation to be served. */
  async open(serving: Serving, clock: Clock, logger: Logger): Promise<void> {
    const { onDemand: limits } = serving.snapshot.options
    if (limits === null) return
    const { OnDemandHosts } = await import('../feed/on-demand-hosts.js')
    this.#hosts = new OnDemandHosts<SentHost>(
      {
        source: { name: 'primary', readHost: (request) => this.#request(request) },
        ...{ clock, logger },
        accept: (_, answer) => acceptHost(answer as WireHostAnswer),
        prepare: async (_, { host }) => hostOf(host),
        // A prepared host has the bytes of the message; they are overwritten with the host.
        wipe: () => {},
        // The primary judges hosts again after a change of the policy.
        policy: () => serving.snapshot.options.policy,
        settled: () => {},
        retired: (host) => serving.sniHosts.contexts.forget(host),
        changed: () => {},
      },
      { ...limits, timeoutMs: limits.timeoutMs + LONGER_MS },
    )
    // The primary may have ended meanwhile.
    if (this.#closed) this.#hosts.close()
    serving.sniHosts.onDemand = this.#hosts
  }

  /** Processes an answer of the primary. */
  receive(id: number, answer: WireHostAnswer): void {
    const request = this.#requests.get(id)
    this.#requests.delete(id)
    if (request) request.resolve(answer)
    else if (typeof answer !== 'string') wipeWire([answer.host.pair])
  }

  /** Asks for a host that the primary has announced as changed, or for all in use. */
  changed(name?: string): void {
    this.#hosts?.changed(name)
  }

  /** Ends requests: there is no primary any more. Hosts stay in service. */
  close(): void {
    this.#closed = true
    for (const { reject } of this.#requests.values()) reject(primaryGone())
    this.#requests.clear()
    this.#hosts?.close()
  }

  #request({ name, version, signal }: HostRequest): Promise<unknown> {
    if (this.#closed) return Promise.reject(primaryGone())
    const id = ++this.#lastId
    const answer = deferred<unknown>()
    this.#requests.set(id, answer)
    signal.addEventListener('abort', () => this.#requests.delete(id), { once: true })
    this.#link.send({ kind: 'host', id, name, held: version === null ? null : Number(version) })
    return answer.promise
  }
}

/** @throws SourceError `SOURCE_INVALID` for a name that the primary cannot answer for; hosts in service stay. */
function acceptHost(answer: WireHostAnswer): HostAnswer<SentHost> {
  if (answer === 'unchanged' || answer === 'none') return answer
  // The primary answers, so this is no outage of it: other names are requested as before.
  if (answer === 'unavailable') throw new SourceError('SOURCE_INVALID', 'the primary cannot get the host now')
  return { version: String(answer.number), revision: null, host: answer.host }
}

function primaryGone(): SourceError {
  return new SourceError('SOURCE_UNREACHABLE', 'the primary has ended')
}
