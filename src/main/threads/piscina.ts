import { randomBytes } from 'node:crypto'

import type { Piscina } from 'piscina'

import type { WorkerOptions } from '../api/options.js'
import { threadCode } from './thread-code.js'

/** By default, V8 lets short-lived objects of thousands of reloads accumulate before it collects them. */
const YOUNG_GENERATION_MB = 8

/**
 * Gives traffic precedence over reloads on the same processor. Only Linux has priorities of threads; elsewhere it would change
 * the priority of the process (setpriority(2), "C library/kernel differences").
 */
const NICENESS = process.platform === 'linux' ? 5 : 0

let areLibuvThreadsStarted = false

/**
 * A pool of one thread, which is started immediately and never replaced.
 *
 * Piscina also starts threads within `run()` and its own event listeners. If a thread cannot be started, `run()` throws but
 * keeps the task, whose promise nothing handles, and a listener throws into the event loop: both end the process later. The
 * constructor throws to its caller and keeps nothing.
 *
 * @param tasks - the module of the tasks; `null` in a bundle, where they are inlined.
 * @throws ReloadError `WORKER_UNAVAILABLE`, or the error of `new Worker()` when no thread can be started.
 */
export function createPiscina(limits: Required<WorkerOptions>, tasks: URL | null): Piscina {
  const { Piscina, entry, inlined } = threadCode()
  const piscina = new Piscina({
    filename: entry,
    workerData: tasks?.href,
    recordTiming: false,
    minThreads: 1,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    resourceLimits: {
      maxOldGenerationSizeMb: limits.memoryLimitMb,
      maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
    },
    // It is set by a native module, which a bundle does not contain.
    niceIncrement: inlined ? 0 : NICENESS,
    // Without the application's loaders and debugger flags.
    execArgv: [],
    // A thread in Atomics.wait would keep the garbage of the last rehearsal until the next one.
    atomics: 'disabled',
  })
  // Not before the pool: if the system allows no more threads, libuv would end the process.
  startLibuvThreads()
  piscina.options.minThreads = 0
  return piscina
}

/**
 * libuv's threads inherit the priority of the thread that uses them first, which must not be a worker. Any work starts them,
 * but it must not access a file: four hanging calls would block all file operations and name look-ups of the process.
 */
function startLibuvThreads(): void {
  if (areLibuvThreadsStarted) return
  areLibuvThreadsStarted = true
  randomBytes(1, () => {})
}
