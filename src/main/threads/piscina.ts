import { stat } from 'node:fs'
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

/** The pool of threads, empty at first. */
export function createPiscina(limits: Required<WorkerOptions>, tasks: URL, maxThreads: number): Piscina {
  // libuv's threads inherit the priority of the thread that needs them first, which must not be a worker.
  stat('.', () => {})
  return new Piscina({
    filename: ENTRY,
    workerData: tasks.href,
    recordTiming: false,
    minThreads: 0,
    maxThreads,
    idleTimeout: limits.idleTimeoutMs,
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
}
