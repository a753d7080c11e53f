import { setTimeout as pause } from 'node:timers/promises'

/** Polls until the condition holds, for states without an event. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  waitMs: number = WAIT_MS,
): Promise<void> {
  for (const end = Date.now() + waitMs; !(await holds()); await pause(5)) {
    if (Date.now() > end) throw new Error(`not within ${waitMs} ms: ${what}`)
  }
}

/** Time limit in milliseconds, long enough for any machine: the conditions take milliseconds. */
const WAIT_MS = 20_000
