import { inspect } from 'node:util'
import { isMainThread } from 'node:worker_threads'

import { logOutput } from '../base/log-output.js'
import { endProcess } from './end-process.js'

/** Called at the exit of the process: each returns whether a thread may hang. */
const guards = new Set<() => boolean>()

/** The unhandled error that ends the process, or `null`. */
let fatal: { readonly error: unknown } | null = null

/**
 * Makes the exit of this process not wait for its threads if `mayHang()`: after all listeners of `exit`, the process ends with
 * the requested exit code. Has an effect only in the main thread; in other threads `exit` is the end of the thread.
 *
 * The listener is installed as the first one and calls the others, because a listener that calls `process.exit()` ends the
 * process immediately, without the listeners after it.
 *
 * @returns a function that removes the guard.
 */
export function guardExit(mayHang: () => boolean): () => void {
  if (!isMainThread) return () => {}
  if (guards.size === 0) {
    process.prependListener('exit', endGuarded)
    process.on('uncaughtExceptionMonitor', noteFatal)
  }
  guards.add(mayHang)
  return () => {
    if (!guards.delete(mayHang) || guards.size > 0) return
    process.off('exit', endGuarded)
    process.off('uncaughtExceptionMonitor', noteFatal)
  }
}

/** For an unhandled error, Node emits `exit` next, and prints the error only after all listeners of `exit`. */
function noteFatal(error: unknown): void {
  const isHandled =
    process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()
  fatal = isHandled ? null : { error }
}

/** Prints an unhandled error as Node would after `exit`. Without this, {@link endProcess} would make the crash silent. */
function printFatal(): void {
  if (!fatal) return
  const { error } = fatal
  fatal = null
  const text = error instanceof Error ? `\n${inspect(error)}` : `Uncaught:\n${inspect(error)}`
  const output = logOutput(2)
  output.write(`${text}\n\nNode.js ${process.version}\n`)
  output.flushSync()
}

function endGuarded(code: number): void {
  if (![...guards].some((mayHang) => mayHang())) return
  // Replaced, because listeners may call it, and Node's own would wait for the threads.
  process.exit = (requested) => {
    printFatal()
    endProcess(exitCodeOf(requested ?? process.exitCode ?? code))
  }
  const listeners = process.listeners('exit')
  for (const listener of listeners.slice(listeners.indexOf(endGuarded) + 1)) {
    try {
      listener.call(process, code)
    } catch {
      // Node would exit with 7; the requested exit code is more informative.
    }
  }
  printFatal()
  endProcess(exitCodeOf(process.exitCode ?? code))
}

function exitCodeOf(code: number | string): number {
  const number = Number(code)
  return Number.isInteger(number) ? number & 0xff : 1
}
