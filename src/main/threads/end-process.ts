import { inspect } from 'node:util'
import { isMainThread } from 'node:worker_threads'

import { logOutput } from '../base/log-output.js'

/**
 * Ends the process immediately with this exit code, even while threads hang.
 *
 * Node's own exit waits for every worker thread (`Environment::stop_sub_worker_contexts`). A thread that hangs in native code
 * or in a system call cannot be ended, and delays `process.exit()` until it returns. WASI's `proc_exit` is the only documented
 * way to exit(3) without that wait (`returnOnExit: false`: "the Node.js process exits with the specified exit code"). If it is
 * not allowed (`--permission` without `--allow-wasi`), only SIGKILL remains, and the exit code is lost.
 */
function endProcess(exitCode: number): never {
  try {
    exitByWasi(exitCode)
  } catch {
    // SIGKILL is next.
  }
  process.kill(process.pid, 'SIGKILL')
  throw new Error('the process has been killed')
}

function exitByWasi(exitCode: number): void {
  // Loading WASI emits an experimental warning. Other warnings are not lost: the process is about to end.
  process.removeAllListeners('warning')
  process.emitWarning = () => {}
  const { WASI } = process.getBuiltinModule('node:wasi')
  const wasi = new WASI({ version: 'preview1', returnOnExit: false })
  const { Instance, Module } = (globalThis as unknown as { WebAssembly: WebAssemblyLike }).WebAssembly
  wasi.start(new Instance(new Module(exitingModule(exitCode)), { wasi_snapshot_preview1: wasi.wasiImport }))
}

/** The used part, which only TypeScript's DOM library declares. */
interface WebAssemblyLike {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object, imports: object) => object
}

/**
 * `(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (memory (export "memory") 1)
 * (func (export "_start") (call 0 (i32.const CODE))))`
 */
function exitingModule(exitCode: number): Uint8Array<ArrayBuffer> {
  const text = (value: string) => [value.length, ...Buffer.from(value)]
  const section = (id: number, content: readonly number[]) => [id, content.length, ...content]
  // Signed LEB128 in two bytes, enough for 0 to 255.
  const code = [(exitCode & 0x7f) | 0x80, (exitCode >> 7) & 1]
  const body = [0, 0x41, ...code, 0x10, 0, 0x0b]
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, 0x60, 1, 0x7f, 0, 0x60, 0, 0]),
    ...section(2, [1, ...text('wasi_snapshot_preview1'), ...text('proc_exit'), 0, 0]),
    ...section(3, [1, 1]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...text('memory'), 2, 0, ...text('_start'), 0, 1]),
    ...section(10, [1, body.length, ...body]),
  ])
}

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
