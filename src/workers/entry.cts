/*
 * Entry of a pool thread: imports the task module and passes each task on.
 *
 * CommonJS, because Piscina would `require` an ES module, and Node 20 and 22 abort the whole process if a thread is
 * ended during that (in `ModuleWrap::InstantiateSync`): closing an engine during its start would crash the server.
 * During an `import()` a thread can be ended safely.
 */

const { workerData } = require('node:worker_threads') as typeof import('node:worker_threads')

type HandlerModule = typeof import('./handler.js')
type Handler = import('./handler.js').Handler

/**
 * Never rejects: a module that cannot be loaded ends the thread, which is the only way its error code reaches the main
 * thread.
 */
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
