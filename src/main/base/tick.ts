import { type Clock, MAX_TIMER_MS } from './clock.js'

/** A repeating timer: one check at a time. The next check is planned when the current one has settled. */
export interface Tick {
  /** Plans the next check again, with a delay that is counted from now. While a check runs, it does nothing. */
  plan(): void
  /** Starts a check now, unless one is running. */
  checkNow(): void
  stop(): void
  /** Milliseconds until the next check; `null` when none is planned. */
  dueInMs(): number | null
}

export interface TickOptions {
  readonly clock: Clock
  /** Milliseconds from the end of one check to the start of the next; `null` for none. */
  readonly delayMs: () => number | null
  /** Must not reject. */
  readonly check: () => Promise<unknown>
}

export function createTick({ clock, delayMs, check }: TickOptions): Tick {
  let cancel: (() => void) | null = null
  let dueAt: number | null = null
  let stopped = false
  let checking = false

  function plan(): void {
    cancel?.()
    cancel = null
    dueAt = null
    // A running check plans the next one when it has settled.
    const delay = stopped || checking ? null : delayMs()
    if (delay === null) return
    dueAt = clock.monotonicMs() + delay
    arm()
  }

  function arm(): void {
    const left = Math.max(0, (dueAt as number) - clock.monotonicMs())
    cancel = clock.after(Math.min(left, MAX_TIMER_MS), left > MAX_TIMER_MS ? arm : checkNow)
  }

  function checkNow(): void {
    if (stopped || checking) return
    cancel?.()
    cancel = null
    dueAt = null
    checking = true
    void check().finally(() => {
      checking = false
      plan()
    })
  }

  return {
    plan,
    checkNow,
    stop() {
      stopped = true
      plan()
    },
    dueInMs: () => (dueAt === null ? null : Math.max(0, dueAt - clock.monotonicMs())),
  }
}
