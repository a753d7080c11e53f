import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { beforeExit } from '../cleanup.js'
import type { Answer, Calls } from './calls.js'

/** A process of the bench, asked by name. */
export interface Child<C extends Calls<C>> {
  readonly pid: number
  call<K extends keyof C & string>(name: K, ...args: Parameters<C[K]>): ReturnType<C[K]>
  /** At once, as a crash or a hard stop would. */
  stop(): Promise<void>
}

export interface ChildOptions {
  /** @defaultValue the Node that runs the bench */
  readonly node?: string | undefined
  readonly flags?: readonly string[]
}

/** Starts a compiled entry that calls `answerCalls`. What it writes to its standard output is dropped. */
export function startChild<C extends Calls<C>>(entry: URL, options: ChildOptions = {}): Child<C> {
  const child = fork(fileURLToPath(entry), [], {
    execPath: options.node ?? process.execPath,
    execArgv: [...(options.flags ?? [])],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Ctrl-C reaches the whole process group; this process ends its children itself.
    detached: true,
  })
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let asked = 0
  child.on('message', ({ id, value, error }: Answer) => {
    const call = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) call?.resolve(value)
    else call?.reject(new Error(error))
  })
  child.on('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`${entry} ended with ${code ?? signal}`))
    waiting.clear()
  })
  const stop = beforeExit(() => ended(child))
  return {
    pid: child.pid as number,
    call(name, ...args) {
      const id = ++asked
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        child.send({ id, name, args }, (error) => error && reject(error))
      }) as ReturnType<C[typeof name]>
    },
    stop,
  }
}

/** Ends a process that is still there, and waits until it is not. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}
