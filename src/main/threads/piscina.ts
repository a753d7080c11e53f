import { randomBytes } from 'node:crypto'

import type { Piscina } from 'piscina'

import type { WorkerOptions } from '../api/options.js'
import { threadCode } from './thread-code.js'

/** Left to itself, V8 lets short-lived objects pile up over thousands of reloads before it looks at them. */
const YOUNG_GENERATION_MB = 8

/**
 * Where traffic and a reload want the same processor, traffic goes first. Only Linux knows priorities of threads; elsewhere
 * it would be the process's (setpriority(2), "C library/kernel differences").
 */
const NICENESS = process.platform === 'linux' ? 5 : 0

let areLibuvThreadsStarted = false

/**
 * A pool of one thread, which is started at once and never replaced.
 *
 * Piscina starts threads in the middle of `run()` and of its own event listeners too. Where a thread cannot be started, `run()`
 * throws and keeps the task, whose promise has no holder, and a listener throws into the event loop: both end the process
 * later. In the constructor it throws to its caller and keeps nothing.
 *
 * @param tasks - the module of the tasks; `null` in a bundle, which has them inlined.
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
    // A native module sets it, which is not in a bundle.
    niceIncrement: inlined ? 0 : NICENESS,
    // The application's loaders and debugger flags have no business in this thread.
    execArgv: [],
    // A thread parked in Atomics.wait would keep what the last rehearsal left until the next one.
    atomics: 'disabled',
  })
  // Not before: where the system allows no more threads, libuv would end the process.
  startLibuvThreads()
  piscina.options.minThreads = 0
  return piscina
}

/**
 * libuv's threads inherit the priority of the thread that needs them first, which must not be a worker. They start with any
 * work; it must not touch a file, because four calls that hang there hold up all files and name look-ups of the process.
 */
function startLibuvThreads(): void {
  if (areLibuvThreadsStarted) return
  areLibuvThreadsStarted = true
  randomBytes(1, () => {})
}
