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

export interface RolloutParts {
  readonly serving: Serving
  readonly fleet: () => Fleet
  readonly worker: Pick<Worker, 'verify'>
  readonly clock: Clock
}

/** How one generation is staged. */
export interface StageMode {
  readonly gauge: SliceGauge
  /** The contexts in service, if only hosts have changed. */
  readonly reuse: GenerationContexts | null
  /** Whether members that do not answer in time are evicted at once. */
  readonly force: boolean
}

/**
 * STAGE, COMMIT and VERIFY of one generation at a time, in this process and in every member: either all of them serve it, or
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

  /** Builds the contexts, first here, then in the members. If one of them refuses, all drop their contexts. */
  async stage(snapshot: Snapshot, { gauge, reuse, force }: StageMode): Promise<ServedState> {
    // In parallel with the build, so that it takes no extra time. Never rejects.
    const checkedBefore = this.#checkBefore(snapshot)
    const next = await this.#serving.stage(snapshot, [], gauge, reuse)
    try {
      await this.#fleet().stage(snapshot, () => this.#serving.snapshot, force)
    } catch (error) {
      this.#serving.drop(next)
      throw error
    }
    await checkedBefore
    return next
  }

  /** Drops a staged generation that will not be served. */
  drop(next: ServedState): void {
    this.#serving.drop(next)
    this.#fleet().abort()
  }

  /**
   * Switches the servers of this process to a generation, synchronously, and makes the members do the same.
   *
   * @returns the previous state, and the members' results; if a member refuses, everything is reverted.
   * @throws ReloadError when a server that was attached meanwhile cannot serve it; then nothing has changed.
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
   * Makes the worker dial every listener.
   *
   * @returns warnings about listeners that could not be checked, or that the application makes show another certificate.
   * @throws ReloadError `SERVED_MISMATCH`, after everything has been reverted.
   */
  async verify(
    next: ServedState,
    before: ServedState,
    changed: readonly Host[],
    timer: PhaseTimer,
  ): Promise<readonly Problem[]> {
    const listeners = next.snapshot.options.verifyServed ? this.#listeners() : []
    if (listeners.length === 0) return []
    const material = { before: before.snapshot, next: next.snapshot, changed }
    const { mismatch, warnings, settle } = await this.#servedCheck.checkAfter(listeners, material)
    timer.ended('verify')
    // A generation that was committed meanwhile is verified by its own pass.
    if (this.#serving.state !== next) return warnings
    settle(mismatch === null)
    if (mismatch === null) return warnings
    const cause = listeners.some(({ server }) => server !== null && this.#serving.servers.isReplaced(server))
      ? ' (the application, or another library, replaced the TLS context of an attached server with setSecureContext)'
      : ''
    const message = `${mismatch}${cause}; the previous certificates are in service again`
    this.#revert(next, before, new ReloadError('SERVED_MISMATCH', message))
  }

  /** Call when the generation can no longer be reverted to `before`. */
  retire(before: ServedState): void {
    this.#serving.retire(before)
    this.#fleet().settle()
  }

  /** Restores the previous state in this process and in all members. */
  #revert(next: ServedState, before: ServedState, error: unknown): never {
    if (this.#serving.state === next) this.#serving.revert(before)
    this.#fleet().revert()
    throw error
  }

  async #checkBefore({ options }: Snapshot): Promise<void> {
    if (options.verifyServed) await this.#servedCheck.checkBefore(this.#listeners(), this.#serving.snapshot)
  }

  #listeners(): ServedListener[] {
    const others = this.#fleet()
      .listeners()
      .map((listener) => ({ listener, server: null }))
    return [...this.#serving.servedListeners(), ...others]
  }
}
