import { setTimeout as pause } from 'node:timers/promises'

/** Polls until the condition holds, for states without an event. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !(await holds()); await pause(5)) {
    if (Date.now() > end) throw new Error(`not within ${WAIT_MS} ms: ${what}`)
  }
}

/** Time limit in milliseconds, long enough for any machine: the conditions take milliseconds. */
const WAIT_MS = 20_000
