import { systemClock } from '../../base/clock.js'
import { defaultWorkerLimits } from '../../engine/resolve-options.js'
import { openWorker } from '../../threads/pool.js'

/** Milliseconds after which a system call on a mount counts as hanging. */
const LIMIT_MS = 1_000

/**
 * Whether system calls on this path return. A worker thread tries it: on a mount that hangs, a call in this thread would
 * never return, and neither signals nor timers could end the process.
 */
export async function pathAnswers(path: string): Promise<boolean> {
  const worker = openWorker({ ...defaultWorkerLimits(), timeoutMs: LIMIT_MS }, systemClock)
  try {
    await worker.readText({ path })
    return true
  } catch {
    return false
  } finally {
    await worker.close()
  }
}
