/*
 * What a thread of the pool runs first: it imports the module of the tasks, and hands each task on.
 *
 * CommonJS, because Piscina would `require` an ES module, and Node 20 and 22 abort the whole process when a thread is
 * ended in the middle of that (in `ModuleWrap::InstantiateSync`): an engine closed while it starts would take its server
 * with it. During an `import()` a thread can be ended.
 */

const { workerData } = require('node:worker_threads') as typeof import('node:worker_threads')

type NamedTask = import('./protocol.js').NamedTask
type Tasks = Readonly<Record<NamedTask['name'], (task: object) => unknown>>

/** Never fails: what cannot be loaded ends the thread, and only so its code gets to the main thread. */
const loaded = new Promise<Tasks>((resolve) => {
  import(workerData).then(resolve, (error: unknown) => {
    setImmediate(() => {
      throw error
    })
  })
})

module.exports = async ({ name, task }: NamedTask): Promise<unknown> => {
  const tasks = await loaded
  return tasks[name](task)
}
