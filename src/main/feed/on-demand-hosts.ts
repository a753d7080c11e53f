import { isoTime } from '../../workers/base/iso-time.js'
import { type Problem, ProblemError } from '../../workers/base/problem.js'
import type { Policy } from '../../workers/protocol/material.js'
import type { OnDemandStatus } from '../api/status.js'
import type { HostsOnDemand } from '../attach/hosts-on-demand.js'
import { wipeKeys } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import type { OnDemandLimits } from '../generation/resolved-options.js'
import type { DeliveredHost, HostAnswer } from './accept-host.js'
import { HostQueries, type HostQueryParts, type Miss } from './host-queries.js'
import { HostRefresh } from './host-refresh.js'

/** Parts of the hosts on demand. */
export interface OnDemandParts<Held extends DeliveredHost>
  extends Omit<HostQueryParts<Host | null, Held>, 'use'> {
  /** Judges and rehearses a delivered host. @throws ProblemError if it is refused. */
  prepare(name: string, held: Held): Promise<Host>
  /** Overwrites a delivered host that is not needed any more. */
  wipe(held: Held): void
  /** The policy by which hosts are judged now. A host that was judged by another one is delivered and judged again. */
  policy(): Policy
  /** Receives what became of a delivery. */
  settled(name: string, version: string, problem: Problem | null): void
  /** Contexts of this host are not needed any more. */
  retired(host: Host): void
  /** A host in service was renewed, or the source has removed it. */
  changed(name: string): void
}

/** A host in service. Times are by the monotonic clock. */
interface Entry {
  readonly host: Host
  /** Distinguishes it from every other host that was in service. */
  readonly number: number
  readonly version: string
  readonly revision: bigint | null
  readonly policy: Policy
  usedMs: number
  checkedMs: number
}

/** A host for another process. `none`: there is no such name. `unavailable`: unknown, because of a failure or a limit. */
export type SharedHost = { readonly host: Host; readonly number: number } | 'none' | 'unavailable'

/**
 * Hosts that are requested from a source on the first handshake for their name, and kept current as long as they are used.
 * Their number is limited; the least recently used is removed. Apart from that, only the answer `none` removes a host.
 */
export class OnDemandHosts<Held extends DeliveredHost> implements HostsOnDemand {
  readonly #queries: HostQueries<Host | null, Held>
  readonly #parts: OnDemandParts<Held>
  readonly #limits: OnDemandLimits
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>()
  readonly #refresh: HostRefresh
  #lastNumber = 0
  #evicted = 0
  #refused = 0

  constructor(parts: OnDemandParts<Held>, limits: OnDemandLimits) {
    this.#parts = parts
    this.#limits = limits
    this.#queries = new HostQueries({ ...parts, use: (name, answer) => this.#use(name, answer) }, limits)
    this.#refresh = new HostRefresh(parts.clock, limits.refreshSeconds * 1000, {
      inUse: (sinceMs) => this.#usedSince(sinceMs),
      refresh: (name) => this.#ask(name),
    })
  }

  status(): OnDemandStatus {
    const { outage, pending, absentNames, queried, skipped } = this.#queries
    return {
      source: this.#parts.source.name,
      hosts: this.#entries.size,
      pending,
      absent: absentNames,
      failingSince: outage.sinceMs === null ? null : isoTime(outage.sinceMs),
      problem: outage.problem,
      queries: { ...queried },
      skipped: { ...skipped },
      refused: this.#refused,
      evicted: this.#evicted,
    }
  }

  peek(servername: string): Host | undefined {
    return this.#entries.get(servername.toLowerCase())?.host
  }

  hostFor(servername: string): Host | null | Promise<Host | null> {
    const name = servername.toLowerCase()
    const entry = this.#entries.get(name)
    if (!entry) return hostOr(this.#queries.request(servername), () => null)
    this.#touch(name, entry)
    // A host that was idle has missed the sweeps.
    const nowMs = this.#parts.clock.monotonicMs()
    if (nowMs - entry.checkedMs <= 2 * this.#limits.refreshSeconds * 1000) return entry.host
    if (Date.parse(entry.host.notAfter) <= this.#parts.clock.wallMs())
      return this.#ask(name).then(() => this.peek(name) ?? null)
    // Handshakes for thousands of idle hosts must not send as many queries at once.
    entry.checkedMs = nowMs
    this.#refresh.now([name])
    return entry.host
  }

  /** The host for a client of another process, for which it counts as used here. */
  async share(servername: string): Promise<SharedHost> {
    const name = servername.toLowerCase()
    try {
      const result = await (this.#entries.has(name) ? this.hostFor(name) : this.#queries.request(name))
      if (result === null) return 'none'
      if (isMiss(result))
        return result.miss === 'absent' || result.miss === 'not-allowed' ? 'none' : 'unavailable'
    } catch {
      // A bug must not remove the host from the other process.
      return 'unavailable'
    }
    const entry = this.#entries.get(name)
    return entry ? { host: entry.host, number: entry.number } : 'unavailable'
  }

  /** For an announcement of the source: one name, or any. */
  changed(name?: string): void {
    const refresh = (one: string) => {
      if (this.#entries.has(one)) this.#refresh.now([one])
    }
    this.#queries.forget(name ?? null, refresh)
    if (name !== undefined) {
      refresh(name)
      return
    }
    for (const entry of this.#entries.values()) entry.checkedMs = Number.NEGATIVE_INFINITY
    this.#refresh.sweepSoon()
  }

  /** Aborts queries. Hosts stay in service, because servers continue. */
  close(): void {
    this.#refresh.close()
    this.#queries.close()
  }

  #usedSince(sinceMs: number): string[] {
    return [...this.#entries].filter(([, { usedMs }]) => usedMs >= sinceMs).map(([name]) => name)
  }

  /** @returns whether the source was asked. */
  async #ask(name: string): Promise<boolean> {
    const entry = this.#entries.get(name)
    if (!entry) return true
    const version = entry.policy === this.#parts.policy() ? entry.version : null
    const result = await failing(this.#queries.refresh(name, version))
    if (isMiss(result) && (result.miss === 'outage' || result.miss === 'closed')) return false
    entry.checkedMs = this.#parts.clock.monotonicMs()
    return true
  }

  async #use(name: string, answer: HostAnswer<Held>): Promise<Host | null> {
    const entry = this.#entries.get(name)
    if (answer === 'none') {
      this.#entries.delete(name)
      if (!entry) return null
      this.#retire(entry)
      this.#parts.changed(name)
      return null
    }
    if (answer === 'unchanged') return entry?.host ?? null
    const policy = this.#parts.policy()
    try {
      if (answer.version === entry?.version && entry.policy === policy) return entry.host
      assertNewer(name, answer, entry)
      const host = await this.#parts.prepare(name, answer)
      this.#put(name, { host, version: answer.version, revision: answer.revision, policy })
      this.#parts.settled(name, answer.version, null)
      return host
    } catch (error) {
      if (error instanceof ProblemError) {
        this.#refused++
        this.#parts.settled(name, answer.version, { ...error.problem, host: name })
      }
      throw error
    } finally {
      this.#parts.wipe(answer)
    }
  }

  #put(name: string, next: Omit<Entry, 'number' | 'usedMs' | 'checkedMs'>): void {
    const before = this.#entries.get(name)
    const nowMs = this.#parts.clock.monotonicMs()
    // A renewed host keeps its place: it was not used.
    const number = ++this.#lastNumber
    this.#entries.set(name, { ...next, number, usedMs: before?.usedMs ?? nowMs, checkedMs: nowMs })
    if (before) {
      this.#retire(before)
      this.#parts.changed(name)
    }
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.#limits.maxHosts) break
      this.#entries.delete(oldest)
      this.#retire(entry)
      this.#evicted++
    }
  }

  #touch(name: string, entry: Entry): void {
    entry.usedMs = this.#parts.clock.monotonicMs()
    this.#entries.delete(name)
    this.#entries.set(name, entry)
  }

  #retire({ host }: Entry): void {
    this.#parts.retired(host)
    wipeKeys([host.pair])
  }
}

/** @throws ProblemError `SOURCE_OLDER` */
function assertNewer(name: string, { revision }: DeliveredHost, entry: Entry | undefined): void {
  const served = entry?.revision ?? null
  if (revision === null || served === null || revision >= served) return
  const message = `the source delivered revision ${revision} of ${name}, which is older than revision ${served} in service`
  throw new ProblemError('SOURCE_OLDER', message)
}

/** A bug must not end the process. */
function failing(result: Promise<Host | null | Miss> | Miss): Promise<Host | null | Miss> | Miss {
  return result instanceof Promise ? result.catch(() => null) : result
}

function isMiss(result: Host | null | Miss): result is Miss {
  return result !== null && 'miss' in result
}

function hostOr(
  result: Promise<Host | null | Miss> | Miss,
  otherwise: () => Host | null,
): Host | null | Promise<Host | null> {
  const hostOf = (one: Host | null | Miss) => (isMiss(one) ? otherwise() : one)
  // A bug must not leave a handshake without an answer.
  return result instanceof Promise ? result.then(hostOf, otherwise) : otherwise()
}
