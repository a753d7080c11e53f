import { parentPort } from 'node:worker_threads'

import { beginTask, endTask } from './progress/progress.js'
import type { NamedTask, TaskName } from './protocol/tasks.js'

/** The functions of a task module; the caller guarantees their types. */
type Tasks = Readonly<Record<TaskName, (task: never) => unknown>>

/** Called by Piscina in a thread for each task. */
export type Handler = (task: NamedTask) => Promise<unknown>

/** Dispatches each task to its function and records its progress. */
export function createHandler(tasks: Tasks): Handler {
  let isFirst = true
  return async ({ name, task, progress }) => {
    if (!progress) return tasks[name](task as never)
    beginTask(progress)
    // A running thread takes a task at once; only thread start adds time that is not the task's.
    if (isFirst) parentPort?.postMessage({ taken: progress.number })
    isFirst = false
    try {
      return await tasks[name](task as never)
    } finally {
      endTask(progress)
    }
  }
}
