import { isDeepStrictEqual } from 'node:util'

import { monotonicMs } from '../../workers/base/monotonic.js'
import type { ServedState } from '../attach/served-state.js'
import { Serving } from '../attach/serving.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import { type Snapshot, wipeKeys } from '../generation/generation.js'
import { History } from '../generation/history.js'
import { HostTable } from '../generation/host-table.js'
import { NameClaims } from '../generation/name-claims.js'
import { runInSlices, type SliceGauge } from '../generation/slices.js'
import { sameTrustPolicy } from '../generation/trust-identity.js'
import { problemsOf } from '../reload/pass-report.js'
import type { Link } from './link.js'
import type { AppliedGeneration } from './member-engine.js'
import type { MemberReport, ToMember, ToPrimary, WireHost, WireSnapshot } from './messages.js'
import { bytesOf, hostOf, keptOptions, materialOf, wipeWire } from './wire.js'

/**
 * A member's side of the primary's transactions: stages a generation, serves it from the commit on, and keeps the previous
 * one until the primary settles or reverts. Replies to `stage` and `commit`. Steps must not overlap.
 */
export class MemberTransaction {
  readonly #link: Link<ToPrimary>
  readonly #clock: Clock
  /** A history of size 0: overwrites the keys of each generation added to it, unless they are in service. */
  readonly #history = new History(0, () => this.serving.snapshot)
  #serving: Serving | null = null
  /** Hosts received before their generation. */
  #hosts: WireHost[] = []
  #staged: ServedState | null = null
  /** The state served before the last commit, until that is settled or reverted. */
  #before: ServedState | null = null
  #gauge: SliceGauge = { longestMs: 0 }
  #begun = false

  constructor(link: Link<ToPrimary>, clock: Clock) {
    this.#link = link
    this.#clock = clock
  }

  /** Undefined before the first `stage`. */
  get serving(): Serving {
    return this.#serving as Serving
  }

  /** Whether a generation has been committed. */
  get begun(): boolean {
    return this.#begun
  }

  /** The number of the staged generation; 0 without one. */
  get stagedNumber(): number {
    return this.#staged?.snapshot.generation.number ?? 0
  }

  addHosts(hosts: readonly WireHost[]): void {
    this.#hosts.push(...hosts)
  }

  async stage({ snapshot: wire, welcome }: Extract<ToMember, { kind: 'stage' }>): Promise<void> {
    const hosts = this.#hosts.splice(0)
    const { number } = wire.generation
    this.abort()
    this.#gauge = { longestMs: 0 }
    try {
      const snapshot = await this.#snapshotOf(wire, hosts, welcome !== null)
      const { options } = snapshot
      this.#serving ??= new Serving(options, this.#clock, welcome === null ? undefined : bytesOf(welcome))
      this.#staged = await this.#serving.stage(snapshot, [options.peers], this.#gauge)
      const { longestMs: longestSliceMs } = this.#gauge
      this.#link.send({ kind: 'staged', number, longestSliceMs, report: this.report() })
    } catch (error) {
      this.refuse(number, error)
    }
  }

  /**
   * Serves the staged generation. A commit that this process reads too late, because it was suspended, is refused: the fleet
   * has reverted, or continued without it.
   *
   * @returns the applied generation; `null` if another generation or none is staged, if the commit is too late, or if this
   * process cannot serve it.
   */
  commit({
    number,
    untilMs,
  }: Pick<Extract<ToMember, { kind: 'commit' }>, 'number' | 'untilMs'>): AppliedGeneration | null {
    const staged = this.#staged
    if (staged?.snapshot.generation.number !== number) {
      this.refuse(number, new ReloadError('MEMBER_REFUSED', `generation ${number} is not staged here`))
      return null
    }
    if (monotonicMs() > untilMs) {
      this.abort()
      this.refuse(
        number,
        new ReloadError('MEMBER_TIMEOUT', `the commit of generation ${number} was received too late`),
      )
      return null
    }
    const start = performance.now()
    try {
      if (this.#begun) this.#before = this.serving.commit(staged)
      else this.serving.begin(staged)
    } catch (error) {
      this.refuse(number, error)
      return null
    }
    this.#begun = true
    this.#staged = null
    const longestSliceMs = Math.max(this.#gauge.longestMs, performance.now() - start)
    this.#link.send({ kind: 'committed', number, longestSliceMs, report: this.report() })
    return appliedOver(this.#before?.snapshot, staged.snapshot)
  }

  /** Drops the staged generation, and hosts received for a generation that will not follow. */
  abort(): void {
    wipeWire(this.#hosts.splice(0).map(({ pair }) => pair))
    if (!this.#staged) return
    const { snapshot } = this.#staged
    if (this.#begun) {
      this.serving.drop(this.#staged)
      this.#history.keep(snapshot)
    } else wipeKeys(snapshot.material.pairs)
    this.#staged = null
  }

  /** Ends the transaction and releases the previous state. */
  settle(): void {
    if (this.#before) {
      this.#history.keep(this.#before.snapshot)
      this.serving.retire(this.#before)
    }
    this.#before = null
  }

  /** Restores the previous state; drops the staged generation if nothing has been committed. */
  revert(): void {
    if (this.#before) {
      const { snapshot } = this.serving
      this.serving.revert(this.#before)
      this.#history.keep(snapshot)
    } else this.abort()
    this.#before = null
  }

  /** Ends any transaction and keeps the served generation. */
  giveUp(): void {
    this.abort()
    this.settle()
  }

  /** Refuses a generation. @param number 0 for none, for which the primary expects no answer. */
  refuse(number: number, error: unknown): void {
    if (number > 0) this.#link.send({ kind: 'refused', number, problems: problemsOf(error) })
  }

  report(): MemberReport {
    const { serving } = this
    const { size: servers, ownPolicies: policies } = serving.servers
    return {
      generation: this.#begun ? serving.snapshot.generation.number : 0,
      connections: serving.connections.counts(),
      listeners: serving.servedListeners().map(({ listener }) => listener),
      servers,
      policies,
      refusedPeers: serving.refusals.counts,
    }
  }

  close(): void {
    this.#serving?.close()
  }

  /** @param complete - whether `wire` is a complete generation, not a difference to the one served here. */
  async #snapshotOf(
    wire: WireSnapshot,
    wireHosts: readonly WireHost[],
    complete: boolean,
  ): Promise<Snapshot> {
    const hosts = wireHosts.map(hostOf)
    const served = this.#begun ? this.serving.snapshot : null
    const before = complete ? null : served
    const table = before?.hosts ?? HostTable.empty
    const claims = new NameClaims(wire.options.policy.nameClaims, wire.generation.certificates)
    const moved = hosts.length + wire.removedHosts.length > 0 || table.claims.key !== claims.key
    return {
      generation: wire.generation,
      material: materialOf(wire, before),
      record: {
        head: new Uint8Array(),
        trust: new Uint8Array(),
        authorities: new Uint8Array(),
        peerRules: null,
      },
      hosts: moved ? await runInSlices(table.after(hosts, wire.removedHosts, claims), this.#gauge) : table,
      hostsRecord: null,
      options: keptOptions(wire.options, served?.options),
      rolledBack: null,
      fileWarnings: [],
    }
  }
}

function appliedOver(
  before: Snapshot | undefined,
  { generation, options, material }: Snapshot,
): AppliedGeneration {
  const sessionsSurvive =
    before !== undefined &&
    before.generation.trust.digest === generation.trust.digest &&
    sameTrustPolicy(before.options, options) &&
    isDeepStrictEqual(before.material.ticketSecret, material.ticketSecret)
  return Object.freeze({ generation, diff: { sessionsSurvive } })
}
