import { openSync, readFileSync, readSync } from 'node:fs'

const TASK = `/proc/self/task/${process.pid}`

/**
 * Milliseconds of processor time of the main thread, by the scheduler's books: what the host or other processes do to
 * this machine does not enter. `process.threadCpuUsage` would be its like, but Node 20 lacks it, and on its own it lags
 * by up to a tick of the kernel.
 */
export function mainThreadClock(): () => number {
  const file = openSync(`${TASK}/schedstat`, 'r')
  const bytes = Buffer.alloc(64)
  return () => {
    // Asking for the process's time makes the kernel bring the running thread's books up to date.
    process.cpuUsage()
    readSync(file, bytes, 0, bytes.length, 0)
    // No string is made of it: a probe that looks on every turn would have the collector at work all the time.
    let ns = 0
    for (let i = 0; bytes[i] !== SPACE; i++) ns = ns * 10 + ((bytes[i] as number) - ZERO)
    return ns / 1e6
  }
}

const SPACE = 0x20
const ZERO = 0x30

/** How often the main thread has gone to sleep by itself; ten times as dear to ask as {@link mainThreadClock}. */
export function mainThreadSleeps(): number {
  const status = readFileSync(`${TASK}/status`, 'latin1')
  return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1])
}

/** Of all threads together. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
