import { setTimeout as pause } from 'node:timers/promises'

/** Resolves once the condition holds, for what no event tells. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !(await holds()); await pause(5)) {
    if (Date.now() > end) throw new Error(`not within ${WAIT_MS} ms: ${what}`)
  }
}

/** Long enough for any machine: what is waited for takes milliseconds. */
const WAIT_MS = 20_000
