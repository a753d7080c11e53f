/* The end of a process with an exit code while its threads still run. */

import { accessSync, constants } from 'node:fs'

/**
 * Ends the process immediately with this exit code, even while threads hang.
 *
 * Node's own exit waits for every worker thread (`Environment::stop_sub_worker_contexts`). A thread that hangs in native code
 * or in a system call cannot be ended, and delays `process.exit()` until it returns. There are three ways around that, and the
 * first that works is used:
 *
 * 1. The process becomes another program that only exits (`process.execve`, Node >= 22.15, not on Windows). The kernel ends
 *    all threads first.
 * 2. WASI's `proc_exit` calls exit(3) without the wait (`returnOnExit: false`: "the Node.js process exits with the specified
 *    exit code"). On Node >= 22, exit(3) destroys the task queue that other threads still use, so a few percent of such exits
 *    are crashes. None was seen on Node 20.
 * 3. SIGKILL, which loses the exit code.
 *
 * With `--permission`, the first needs `--allow-child-process` and the second `--allow-wasi`.
 *
 * @param exitCode 0 to 255.
 */
export function endProcess(exitCode: number): never {
  // Both ways emit an experimental warning. Other warnings are not lost: the process is about to end.
  process.removeAllListeners('warning')
  process.emitWarning = () => {}
  for (const exit of [exitByExecve, exitByWasi]) {
    try {
      exit(exitCode)
    } catch {
      // The next way.
    }
  }
  process.kill(process.pid, 'SIGKILL')
  throw new Error('the process has been killed')
}

/** Missing in the types of Node 20. */
type WithExecve = NodeJS.Process & {
  readonly execve?: (path: string, args: readonly string[], env: NodeJS.ProcessEnv) => never
}

function exitByExecve(exitCode: number): void {
  const program = exitingPrograms(exitCode).find(([path]) => isExecutable(path))
  // Without a program that can run, execve aborts the process.
  if (program) (process as WithExecve).execve?.(...program, {})
}

/** A shell, or Node itself in an image without one. The executable of an application that contains Node would start that. */
function exitingPrograms(exitCode: number): [path: string, args: string[]][] {
  const shell: [string, string[]] = ['/bin/sh', ['sh', '-c', `exit ${exitCode}`]]
  const node: [string, string[]] = [process.execPath, ['node', '-e', `process.exit(${exitCode})`]]
  return process.getBuiltinModule('node:sea').isSea() ? [shell] : [shell, node]
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function exitByWasi(exitCode: number): void {
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
