import { openSync, readFileSync, readSync } from 'node:fs'

const TASK = `/proc/self/task/${process.pid}`

/**
 * Milliseconds of processor time of the main thread from the accounting of the scheduler, which excludes time taken by the
 * host or by other processes. `process.threadCpuUsage` is similar, but Node 20 lacks it, and it lags by up to a tick of the
 * kernel.
 */
export function mainThreadClock(): () => number {
  const file = openSync(`${TASK}/schedstat`, 'r')
  const bytes = Buffer.alloc(64)
  return () => {
    // This call makes the kernel update the accounting of the running thread.
    process.cpuUsage()
    readSync(file, bytes, 0, bytes.length, 0)
    // Parsed without a string: a probe that runs on every turn would produce too much garbage.
    let ns = 0
    for (let i = 0; bytes[i] !== SPACE; i++) ns = ns * 10 + ((bytes[i] as number) - ZERO)
    return ns / 1e6
  }
}

const SPACE = 0x20
const ZERO = 0x30

/** Number of voluntary sleeps of the main thread; costs ten times as much as {@link mainThreadClock}. */
export function mainThreadSleeps(): number {
  const status = readFileSync(`${TASK}/status`, 'latin1')
  return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1])
}

/** Processor time of all threads. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
