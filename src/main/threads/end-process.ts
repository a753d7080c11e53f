import { inspect } from 'node:util'
import { isMainThread } from 'node:worker_threads'

import { logOutput } from '../base/log-output.js'

/**
 * Ends the process at once, with this exit code, whatever its threads do.
 *
 * Node's own exit waits for every worker thread (`Environment::stop_sub_worker_contexts`), and a thread that hangs in
 * native code, or in a system call, cannot be ended: `process.exit()` then lasts as long as that. WASI's `proc_exit` is the
 * one documented way to exit(3) without that wait (`returnOnExit: false`: "the Node.js process exits with the specified
 * exit code"). Where it is not allowed (`--permission` without `--allow-wasi`), SIGKILL is left, and the exit code is lost.
 */
function endProcess(exitCode: number): never {
  try {
    exitByWasi(exitCode)
  } catch {
    // As below.
  }
  process.kill(process.pid, 'SIGKILL')
  throw new Error('the process has been killed')
}

function exitByWasi(exitCode: number): void {
  // Loading it prints a warning that it is experimental; nothing else can be emitted any more.
  process.removeAllListeners('warning')
  process.emitWarning = () => {}
  const { WASI } = process.getBuiltinModule('node:wasi')
  const wasi = new WASI({ version: 'preview1', returnOnExit: false })
  const { Instance, Module } = (globalThis as unknown as { WebAssembly: WebAssemblyLike }).WebAssembly
  wasi.start(new Instance(new Module(exitingModule(exitCode)), { wasi_snapshot_preview1: wasi.wasiImport }))
}

/** The part that is used; only TypeScript's DOM library declares it. */
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
  // Signed LEB128 in two bytes: 0 to 255 fits.
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

/** What is asked at the exit of the process: whether a thread may hang. */
const guards = new Set<() => boolean>()

/** The error that ends the process; `null` while none does. */
let fatal: { readonly error: unknown } | null = null

/**
 * From now on, an exit of this process does not wait for its threads where `mayHang()`: after all listeners of `exit`, it is
 * ended with the exit code that was asked for. Only in the main thread: elsewhere an `exit` is the end of one thread.
 *
 * The listener is the first one, and calls the others: a listener that calls `process.exit()` ends the process there and
 * then, so that no listener behind it would be called.
 *
 * @returns a function that ends this.
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

/** Where nothing handles the error, Node emits `exit` next, and prints the error only after all listeners of that. */
function noteFatal(error: unknown): void {
  const isHandled =
    process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()
  fatal = isHandled ? null : { error }
}

/** Prints what Node would print after the exit that {@link endProcess} replaces: without it, a crash would be silent. */
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
  // Node's own, called by a listener, would wait for the threads.
  process.exit = (asked) => {
    printFatal()
    endProcess(exitCodeOf(asked ?? process.exitCode ?? code))
  }
  const listeners = process.listeners('exit')
  for (const listener of listeners.slice(listeners.indexOf(endGuarded) + 1)) {
    try {
      listener.call(process, code)
    } catch {
      // Node ends with 7 for these; the exit code that was asked for says more.
    }
  }
  printFatal()
  endProcess(exitCodeOf(process.exitCode ?? code))
}

function exitCodeOf(code: number | string): number {
  const number = Number(code)
  return Number.isInteger(number) ? number & 0xff : 1
}
