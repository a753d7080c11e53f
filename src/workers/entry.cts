/*
 * What a thread of the pool runs first: it imports the module of the tasks, and hands each task on.
 *
 * CommonJS, because Piscina would `require` an ES module, and Node 20 and 22 abort the whole process when a thread is
 * ended in the middle of that (in `ModuleWrap::InstantiateSync`): an engine closed while it starts would take its server
 * with it. During an `import()` a thread can be ended.
 */

const { workerData } = require('node:worker_threads') as typeof import('node:worker_threads')

type HandlerModule = typeof import('./handler.js')
type Handler = import('./handler.js').Handler

/** Never fails: a module that cannot be loaded ends the thread, and only so its code gets to the main thread. */
const loaded = new Promise<Handler>((resolve) => {
  Promise.all([import(workerData), import('./handler.js') as Promise<HandlerModule>]).then(
    ([tasks, { createHandler }]) => resolve(createHandler(tasks)),
    (error: unknown) => {
      setImmediate(() => {
        throw error
      })
    },
  )
})

module.exports = async (task: Parameters<Handler>[0]): Promise<unknown> => (await loaded)(task)
