import { stat } from 'node:fs'

import type { Piscina } from 'piscina'

import type { WorkerOptions } from '../options.js'
import { threadCode } from './thread-code.js'

/** Left to itself, V8 lets short-lived objects pile up over thousands of reloads before it looks at them. */
const YOUNG_GENERATION_MB = 8

/**
 * Where traffic and a reload want the same processor, traffic goes first. Only Linux knows priorities of threads; elsewhere
 * it would be the process's (setpriority(2), "C library/kernel differences").
 */
const NICENESS = process.platform === 'linux' ? 5 : 0

/**
 * The pool of threads, empty at first.
 *
 * @param tasks - the module of the tasks; `null` in a bundle, which has them inlined.
 * @throws ReloadError `WORKER_UNAVAILABLE`
 */
export function createPiscina(
  limits: Required<WorkerOptions>,
  tasks: URL | null,
  maxThreads: number,
): Piscina {
  // libuv's threads inherit the priority of the thread that needs them first, which must not be a worker.
  stat('.', () => {})
  const { Piscina, entry, inlined } = threadCode()
  return new Piscina({
    filename: entry,
    workerData: tasks?.href,
    recordTiming: false,
    minThreads: 0,
    maxThreads,
    idleTimeout: limits.idleTimeoutMs,
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
}
