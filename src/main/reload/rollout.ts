import type { Problem } from '../../workers/base/problem.js'
import type { MemberResult } from '../api/members.js'
import { ServedCheck, type ServedListener } from '../attach/served-check.js'
import type { ServedState } from '../attach/served-state.js'
import type { Serving } from '../attach/serving.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import type { Snapshot } from '../generation/generation.js'
import type { GenerationContexts } from '../generation/generation-contexts.js'
import type { Host } from '../generation/host.js'
import type { SliceGauge } from '../generation/slices.js'
import type { Worker } from '../threads/pool.js'
import type { Fleet } from './fleet.js'
import type { PhaseTimer } from './phase-timer.js'

/** What a roll-out needs. */
export interface RolloutParts {
  readonly serving: Serving
  /** The members of the fleet. */
  readonly fleet: () => Fleet
  readonly worker: Pick<Worker, 'verify'>
  readonly clock: Clock
}

/** How one generation is staged. */
export interface StageMode {
  readonly gauge: SliceGauge
  /** The contexts that serve, where only hosts have changed. */
  readonly reuse: GenerationContexts | null
  /** Whether members that do not answer in time are left behind at once. */
  readonly force: boolean
}

/**
 * STAGE, COMMIT and VERIFY of one generation after the other, in this process and in every member: all of them serve it, or
 * none does.
 */
export class Rollout {
  readonly #serving: Serving
  readonly #fleet: () => Fleet
  readonly #servedCheck: ServedCheck

  constructor({ serving, fleet, worker, clock }: RolloutParts) {
    this.#serving = serving
    this.#fleet = fleet
    this.#servedCheck = new ServedCheck(worker, clock)
  }

  /** Builds the contexts, here and then in the members. What was built is dropped everywhere when one of them refuses. */
  async stage(snapshot: Snapshot, { gauge, reuse, force }: StageMode): Promise<ServedState> {
    // While the contexts are built, so that it costs no time. Never rejects.
    const looked = this.#lookBefore(snapshot)
    const next = await this.#serving.stage(snapshot, [], gauge, reuse)
    try {
      await this.#fleet().stage(snapshot, () => this.#serving.snapshot, force)
    } catch (error) {
      this.#serving.drop(next)
      throw error
    }
    await looked
    return next
  }

  /** Drops what was staged and is not going to be served. */
  drop(next: ServedState): void {
    this.#serving.drop(next)
    this.#fleet().abort()
  }

  /**
   * Points the servers of this process at a generation, at once, and has the members do the same.
   *
   * @returns what was served before, and the members' answers; where one refuses, everything is pointed back.
   * @throws ReloadError when a server that was attached since cannot serve it; nothing has changed then.
   */
  commit(next: ServedState): { before: ServedState; members: Promise<readonly MemberResult[]> } {
    let before: ServedState
    try {
      before = this.#serving.commit(next)
    } catch (error) {
      this.drop(next)
      throw error
    }
    const answers = this.#fleet().commit()
    const members = answers.catch((error: unknown) => this.#revert(next, before, error))
    return { before, members }
  }

  /**
   * Has the worker look at every listener.
   *
   * @returns warnings about listeners that could not be looked at, or that show something else for reasons of their own.
   * @throws ReloadError `SERVED_MISMATCH`, after everything has been pointed back.
   */
  async verify(
    next: ServedState,
    before: ServedState,
    changed: readonly Host[],
    watch: PhaseTimer,
  ): Promise<readonly Problem[]> {
    const listeners = next.snapshot.options.verifyServed ? this.#listeners() : []
    if (listeners.length === 0) return []
    const material = { before: before.snapshot, next: next.snapshot, changed }
    const { mismatch, warnings, settle } = await this.#servedCheck.lookAfter(listeners, material)
    watch.ended('verify')
    // What was committed in the meantime has been, or will be, looked at by its own pass.
    if (this.#serving.state !== next) return warnings
    settle(mismatch === null)
    if (mismatch === null) return warnings
    const cause = listeners.some(({ server }) => server !== null && this.#serving.servers.isReplaced(server))
      ? ' (the application, or another library, replaced the TLS context of an attached server since: setSecureContext)'
      : ''
    const message = `${mismatch}${cause}; everything was pointed back`
    this.#revert(next, before, new ReloadError('SERVED_MISMATCH', message))
  }

  /** Only once nothing can go back to it by itself. */
  retire(before: ServedState): void {
    this.#serving.retire(before)
    this.#fleet().settle()
  }

  /** Back to what was served before, everywhere. */
  #revert(next: ServedState, before: ServedState, error: unknown): never {
    if (this.#serving.state === next) this.#serving.revert(before)
    this.#fleet().revert()
    throw error
  }

  async #lookBefore({ options }: Snapshot): Promise<void> {
    if (options.verifyServed) await this.#servedCheck.lookBefore(this.#listeners(), this.#serving.snapshot)
  }

  #listeners(): ServedListener[] {
    const others = this.#fleet()
      .listeners()
      .map((listener) => ({ listener, server: null }))
    return [...this.#serving.servedListeners(), ...others]
  }
}
