import { parentPort } from 'node:worker_threads'

import { beginTask, endTask } from './progress/progress.js'
import type { NamedTask, TaskName } from './protocol/tasks.js'

/** The functions of a module of tasks, whose types the caller vouches for. */
type Tasks = Readonly<Record<TaskName, (task: never) => unknown>>

/** What Piscina calls in a thread for each task. */
export type Handler = (task: NamedTask) => Promise<unknown>

/** Hands each task on to its function, and keeps account of where it is. */
export function createHandler(tasks: Tasks): Handler {
  let isFirst = true
  return async ({ name, task, progress }) => {
    if (!progress) return tasks[name](task as never)
    beginTask(progress)
    // A thread that already runs takes a task at once; only the start of one takes time that is not the task's.
    if (isFirst) parentPort?.postMessage({ taken: progress.number })
    isFirst = false
    try {
      return await tasks[name](task as never)
    } finally {
      endTask(progress)
    }
  }
}
