import { type ChildProcess, fork } from 'node:child_process'
import type { TestContext } from 'node:test'

import type { EngineStatus, ReloadEngineOptions, ReloadResult, ServerExtra } from '../../src/main/index.js'
import type { PairFiles } from '../files/files.js'

/** Commands of the test to the primary. */
export type ClusterCommand =
  | { readonly command: 'reload' | 'rollback' | 'status' | 'fork' | 'close' }
  /** Kills a worker. */
  | { readonly command: 'kill'; readonly pid: number }

/** Replies of the primary. */
export type ClusterReply =
  | { readonly kind: 'serving'; readonly port: number; readonly pids: readonly number[] }
  | { readonly kind: 'result'; readonly result: ReloadResult }
  | { readonly kind: 'status'; readonly status: EngineStatus }
  | { readonly kind: 'forked'; readonly pid: number }
  | { readonly kind: 'done' }
  /** The primary has seen the end of a worker. */
  | { readonly kind: 'exited' }

export interface ClusterOptions {
  readonly engine: ReloadEngineOptions & PairFiles
  readonly workers: number
  readonly serialization: 'json' | 'advanced'
  readonly timeoutMs?: number
  readonly patience?: number
  /** Whether the primary kills evicted members. */
  readonly killsEvicted?: boolean
  /** Additional options of the workers' servers. */
  readonly server?: ServerExtra
}

export interface ClusterSite {
  /** Process ID of the primary. */
  readonly pid: number
  readonly port: number
  readonly pids: readonly number[]
  reload(): Promise<ReloadResult>
  rollback(): Promise<ReloadResult>
  status(): Promise<EngineStatus>
  /** Starts one more worker; resolves with its process ID once it listens. */
  fork(): Promise<number>
  /** Resolves once the signal is sent; the primary may not have seen the end yet. */
  kill(pid: number): Promise<void>
  /** Resolves once the primary has seen the next end of a worker. */
  exited(): Promise<void>
}

/** A primary with workers of `node:cluster` that share one port, ended with the test. */
export async function clusterSite(t: TestContext, options: ClusterOptions): Promise<ClusterSite> {
  const entry = new URL('./cluster-primary.js', import.meta.url)
  const child = fork(entry, [JSON.stringify(options)], {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.after(() => child.kill('SIGTERM'))
  const next = repliesOf(child)
  // Errors of `send` to an ended primary are ignored: the wait for its reply fails.
  const send = (command: ClusterCommand) => void child.send(command, () => {})
  const { port, pids } = await next('serving')
  return {
    pid: child.pid as number,
    port,
    pids,
    async reload() {
      send({ command: 'reload' })
      return (await next('result')).result
    },
    async rollback() {
      send({ command: 'rollback' })
      return (await next('result')).result
    },
    async status() {
      send({ command: 'status' })
      return (await next('status')).status
    },
    async fork() {
      send({ command: 'fork' })
      return (await next('forked')).pid
    },
    async kill(pid) {
      send({ command: 'kill', pid })
      await next('done')
    },
    async exited() {
      await next('exited')
    },
  }
}

/** The next reply of a kind; requests of different kinds may be pending at the same time. */
function repliesOf(child: ChildProcess) {
  const arrived: ClusterReply[] = []
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of waiting) look()
  }
  child.on('message', (reply: ClusterReply) => {
    arrived.push(reply)
    wake()
  })
  child.on('exit', wake)
  return <K extends ClusterReply['kind']>(kind: K): Promise<Extract<ClusterReply, { kind: K }>> =>
    new Promise((resolve, reject) => {
      const look = () => {
        const at = arrived.findIndex((reply) => reply.kind === kind)
        const ended = child.exitCode ?? child.signalCode
        if (at < 0 && ended === null) return
        waiting.delete(look)
        if (at < 0) reject(new Error(`the primary ended with ${ended}`))
        else resolve(arrived.splice(at, 1)[0] as Extract<ClusterReply, { kind: K }>)
      }
      waiting.add(look)
      look()
    })
}
