/**
 * Where a drain is:
 *
 * - `running`: serving; not started.
 * - `lame-duck`: not ready for new clients, but every request is served and the listeners are open, so that load
 *   balancers have time to notice. The only failureDigest that can be taken back.
 * - `closing`: the listeners are closed and every connection has been told to go; what runs is finished.
 * - `drained`: the last connection has gone; nothing was cut by the deadline.
 * - `forced`: what was left at the deadline, or at `force()`, is being or has been cut.
 */
export const DRAIN_STATES = ['running', 'lame-duck', 'closing', 'drained', 'forced'] as const

/** One of {@link DRAIN_STATES}. */
export type DrainState = (typeof DRAIN_STATES)[number]

const NEXT: Readonly<Record<DrainState, readonly DrainState[]>> = {
  running: ['lame-duck', 'closing', 'forced'],
  'lame-duck': ['running', 'closing', 'forced'],
  closing: ['drained', 'forced'],
  drained: [],
  forced: [],
}

/** The state of a drain, which only ever moves along the arrows. */
export class DrainStateMachine {
  readonly #moved: (state: DrainState, previous: DrainState) => void
  #state: DrainState = 'running'

  constructor(moved: (state: DrainState, previous: DrainState) => void) {
    this.#moved = moved
  }

  get current(): DrainState {
    return this.#state
  }

  /** Whether it is over. */
  get final(): boolean {
    return NEXT[this.#state].length === 0
  }

  /** Moves on where that is possible, and says whether it was. */
  move(to: DrainState): boolean {
    const previous = this.#state
    if (!NEXT[previous].includes(to)) return false
    this.#state = to
    this.#moved(to, previous)
    return true
  }
}
