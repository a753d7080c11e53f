import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { beforeExit } from '../cleanup.js'
import type { Answer, Calls } from './calls.js'

/** A child process of the bench. */
export interface Child<C extends Calls<C>> {
  readonly pid: number
  call<K extends keyof C & string>(name: K, ...args: Parameters<C[K]>): ReturnType<C[K]>
  /** Kills it at once, like a crash. */
  stop(): Promise<void>
}

export interface ChildOptions {
  /** @defaultValue the Node binary of the bench */
  readonly node?: string | undefined
  readonly flags?: readonly string[]
}

/** Starts a compiled entry that calls `answerCalls`. Its standard output is discarded. */
export function startChild<C extends Calls<C>>(entry: URL, options: ChildOptions = {}): Child<C> {
  const child = fork(fileURLToPath(entry), [], {
    execPath: options.node ?? process.execPath,
    execArgv: [...(options.flags ?? [])],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Outside the process group that Ctrl-C reaches: this process ends its children itself.
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

/** Ends a process if it still runs, and waits for its end. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}
