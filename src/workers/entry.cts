/*
 * What a thread of the pool runs first: it imports the module of the tasks, and hands each task on.
 *
 * CommonJS, because Piscina would `require` an ES module, and Node 20 and 22 abort the whole process when a thread is
 * ended in the middle of that (in `ModuleWrap::InstantiateSync`): an engine closed while it starts would take its server
 * with it. During an `import()` a thread can be ended.
 */

const { parentPort, threadId, workerData } =
  require('node:worker_threads') as typeof import('node:worker_threads')

type NamedTask = import('./protocol.js').NamedTask
type Tasks = Readonly<Record<NamedTask['name'], (task: object) => unknown>>
type ProgressModule = typeof import('./progress.js')

/** Never fails: a module that cannot be loaded ends the thread, and only so its code gets to the main thread. */
const loaded = new Promise<readonly [Tasks, ProgressModule]>((resolve) => {
  Promise.all([import(workerData) as Promise<Tasks>, import('./progress.js')]).then(
    resolve,
    (error: unknown) => {
      setImmediate(() => {
        throw error
      })
    },
  )
})

let isFirst = true

module.exports = async ({ name, task, progress }: NamedTask): Promise<unknown> => {
  const [tasks, { beginTask, endTask }] = await loaded
  if (!progress) return tasks[name](task)
  beginTask(progress)
  // A thread that already runs takes a task at once; only the start of one takes time that is not the task's.
  if (isFirst) parentPort?.postMessage({ taken: progress.number, thread: threadId })
  isFirst = false
  try {
    return await tasks[name](task)
  } finally {
    endTask(progress)
  }
}
