/**
 * State of a drain:
 *
 * - `running`: serving; not started.
 * - `lame-duck`: reports not ready, but the listeners are open and every request is served, so that load balancers have
 *   time to notice. The only state that can be cancelled.
 * - `closing`: the listeners are closed and connections get their close notice; running requests finish.
 * - `drained`: the last connection has closed; none was cut by the deadline.
 * - `forced`: the connections left at the deadline, or at `force()`, are being or have been cut.
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

/** The state of a drain; only the transitions of `NEXT` are possible. */
export class DrainStateMachine {
  readonly #moved: (state: DrainState, previous: DrainState) => void
  #state: DrainState = 'running'

  constructor(moved: (state: DrainState, previous: DrainState) => void) {
    this.#moved = moved
  }

  get current(): DrainState {
    return this.#state
  }

  /** Whether no transition is left. */
  get final(): boolean {
    return NEXT[this.#state].length === 0
  }

  /** Changes the state if the transition is allowed; returns whether it was. */
  move(to: DrainState): boolean {
    const previous = this.#state
    if (!NEXT[previous].includes(to)) return false
    this.#state = to
    this.#moved(to, previous)
    return true
  }
}
