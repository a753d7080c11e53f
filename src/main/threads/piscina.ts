import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'

import { Piscina } from 'piscina'

import type { WorkerOptions } from '../options.js'

/** Same relative location in src and dist. A path, because Piscina converts a URL on every task. */
const ENTRY: string = fileURLToPath(new URL('../../workers/entry.cjs', import.meta.url))

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
 * throws and keeps the task, whose promise nobody holds, and a listener throws into the event loop: both end the process
 * later. In the constructor it throws to its caller and keeps nothing.
 *
 * @throws the error of `new Worker()` when no thread can be started.
 */
export function createPiscina(limits: Required<WorkerOptions>, tasks: URL): Piscina {
  const piscina = new Piscina({
    filename: ENTRY,
    workerData: tasks.href,
    recordTiming: false,
    minThreads: 1,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    resourceLimits: {
      maxOldGenerationSizeMb: limits.memoryLimitMb,
      maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
    },
    niceIncrement: NICENESS,
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
