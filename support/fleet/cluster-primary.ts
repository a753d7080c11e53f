/*
 * The process of `clusterSite`: a primary with the engine, and workers that serve its generations.
 */

import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { shareEngine } from '../../src/main/fleet/index.js'
import { createReloadEngine } from '../../src/main/index.js'
import { eventually } from '../base/eventually.js'
import { recordingLogger } from '../base/recording-logger.js'
import type { ClusterCommand, ClusterOptions, ClusterReply } from './cluster-site.js'

const options = JSON.parse(process.argv[2] ?? '{}') as ClusterOptions
const { serialization, timeoutMs = 10_000, patience = 3, killsEvicted = false } = options
cluster.setupPrimary({ exec: fileURLToPath(new URL('./cluster-worker.js', import.meta.url)), serialization })
process.once('disconnect', () => process.exit())
process.once('SIGTERM', () => process.exit())

const engine = await createReloadEngine({ ...options.engine, logger: recordingLogger() })
const shared = shareEngine(engine, {
  ...{ timeoutMs, patience },
  ...(killsEvicted ? { onEvicted: (_, peer) => (peer as Worker).process.kill('SIGKILL') } : {}),
})
const ports = await Promise.all(Array.from({ length: options.workers }, async () => await started(fork())))
answer({ kind: 'serving', port: ports[0]?.port ?? 0, pids: ports.map(({ pid }) => pid) })

cluster.on('exit', () => answer({ kind: 'exited' }))
process.on('message', (message: ClusterCommand) => void obey(message))

async function obey(message: ClusterCommand): Promise<void> {
  if (message.command === 'reload') answer({ kind: 'result', result: await engine.reload() })
  else if (message.command === 'rollback') answer({ kind: 'result', result: await engine.rollback() })
  else if (message.command === 'status') answer({ kind: 'status', status: engine.status() })
  else if (message.command === 'fork') answer({ kind: 'forked', pid: (await started(fork())).pid })
  else if (message.command === 'kill') kill(message.pid)
}

function fork(): Worker {
  return cluster.fork({ SERVER_OPTIONS: JSON.stringify(options.server ?? {}) })
}

async function started(worker: Worker): Promise<{ port: number; pid: number }> {
  const ended = once(worker, 'exit').then(([code]) => {
    throw new Error(`a worker ended with ${code} before it listened`)
  })
  const [{ port }] = await Promise.race([once(worker, 'listening'), ended])
  ended.catch(() => {})
  const { pid = 0 } = worker.process
  await eventually('the worker is a member', () => shared.members().some((member) => member.pid === pid))
  return { port, pid }
}

function kill(pid: number): void {
  const worker = workerOf(pid)
  worker?.process.kill('SIGKILL')
  answer({ kind: 'done' })
}

function workerOf(pid: number): Worker | undefined {
  return Object.values(cluster.workers ?? {}).find((worker) => worker?.process.pid === pid)
}

function answer(reply: ClusterReply): void {
  process.send?.(reply)
}
