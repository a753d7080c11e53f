/* The tasks in a thread of a stand-in: those of the real worker, modified by the query of this module's URL. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BroadcastChannel } from 'node:worker_threads'

import type { JudgePeersReply, JudgePeersTask } from '../../src/workers/protocol/judge-peers.js'
import type { PrepareReply, PrepareTask } from '../../src/workers/protocol/prepare.js'
import type { WorkerTasks } from '../../src/workers/protocol/tasks.js'
import type { VerifyReply } from '../../src/workers/protocol/verify.js'
import { arrived } from './arrived.js'
import { copiedBytes } from './copied-bytes.js'
import { type Fault, type FaultTask, fail, faultTask, isFault } from './faults.js'
import {
  BEHAVIOUR,
  type Behaviour,
  COST_CHANNEL,
  markerBeside,
  REPLY_CHANNEL,
  type ReplyKind,
  takenBeside,
  type UnchangedCost,
} from './stand-in.js'

/** The stack of the code that loads this module. */
const stack = new Error().stack ?? ''

const behaviours = new URL(import.meta.url).searchParams.getAll(BEHAVIOUR) as Behaviour[]

if (behaviours.includes('poisoned')) await import('./poison-hook.cjs')
/** Before the real tasks are loaded, which use it to open files. */
const openedFiles = behaviours.includes('reports-costs')
  ? (await import('./opened-files.js')).openedFiles
  : []
/** Not loaded in threads that only fail, so that these start fast. */
const real = behaviours.every(isFault) ? ({} as WorkerTasks) : await import('../../src/workers/tasks.js')

/** After the real tasks are loaded: it replaces the constructor of buffers. */
const accounted = behaviours.includes('accounts-for-secrets')
  ? (await import('./recorded-buffers.js')).accounted
  : null

export const { judgePeers, prepare, prepareHosts, readText, sealHosts, verify }: WorkerTasks =
  behaviours.reduce<WorkerTasks>(changed, { ...real })

function changed(tasks: WorkerTasks, behaviour: Behaviour): WorkerTasks {
  switch (behaviour) {
    case 'poisoned':
      return tasks
    case 'misbehaves':
      return misbehaving(tasks)
    case 'gated':
      return { ...tasks, prepare: async (task) => await gated(task, await tasks.prepare(task)) }
    case 'reports-replies':
      return { ...tasks, prepare: async (task) => reported(await tasks.prepare(task)) }
    case 'reports-costs':
      return { ...tasks, prepare: (task) => withCost(task, tasks.prepare) }
    case 'accounts-for-secrets':
      return accounted
        ? {
            ...tasks,
            prepare: accounted('prepare', tasks.prepare),
            prepareHosts: accounted('prepareHosts', tasks.prepareHosts),
          }
        : tasks
    case 'slow':
      return { ...tasks, prepare: (task) => delay(200).then(() => tasks.prepare(task)) }
    case 'prepares-garbage':
      return { ...tasks, prepare: async (task) => garbage(task, arrived(await tasks.prepare(task))) }
    case 'sees-others':
      return seeingOthers(tasks)
    case 'judges-or-dies':
      return { ...tasks, judgePeers: judgeOrDie }
    case 'shows-its-stack':
      return { ...tasks, prepare: async () => stack as unknown as PrepareReply }
    default:
      return { ...tasks, prepare: async (task) => failing(behaviour, task as unknown as FaultTask) }
  }
}

/** A failure instead of a reply. */
function failing<Reply>(fault: Fault, task: FaultTask = faultTask()): Reply {
  return fail(fault, task) as Reply
}

function misbehaving(tasks: WorkerTasks): WorkerTasks {
  /** The fault of VERIFY in the last marker; valid for the only thread of a single engine. */
  let inVerify: Fault | undefined
  return {
    ...tasks,
    async prepare(task) {
      const cert = task.sources.pairs[0]?.cert ?? ''
      const marker = markerBeside(cert)
      const [phase, fault] = existsSync(marker) ? readFileSync(marker, 'utf8').split(' ') : []
      inVerify = phase === 'verify' ? (fault as Fault) : undefined
      if (phase !== 'prepare') return await tasks.prepare(task)
      writeFileSync(takenBeside(cert), '')
      return await failing(fault as Fault)
    },
    async verify(task) {
      return await (inVerify === undefined ? tasks.verify(task) : failing<VerifyReply>(inVerify))
    },
  }
}

async function gated(task: PrepareTask, reply: PrepareReply): Promise<PrepareReply> {
  const dir = dirname(task.sources.pairs[0]?.cert ?? '')
  while (existsSync(join(dir, 'gate'))) {
    writeFileSync(join(dir, 'held'), '')
    await delay(5)
  }
  return reply
}

function reported(reply: PrepareReply): PrepareReply {
  const channel = new BroadcastChannel(REPLY_CHANNEL)
  channel.postMessage(kindOf(reply))
  channel.close()
  return reply
}

async function withCost(task: PrepareTask, prepare: WorkerTasks['prepare']): Promise<PrepareReply> {
  openedFiles.length = 0
  const reply = await prepare(task)
  if (reply.kind !== 'unchanged') return reply
  const cost: UnchangedCost = { opened: openedFiles, copiedBytes: copiedBytes(task) + copiedBytes(reply) }
  const channel = new BroadcastChannel(COST_CHANNEL)
  channel.postMessage(cost)
  channel.close()
  return reply
}

/** A reply with buffers is wrapped for its transfer, so only `unchanged` can be read here. */
function kindOf(reply: PrepareReply): ReplyKind {
  if (reply.kind !== 'unchanged') return 'prepared or refused'
  return reply.record ? 'unchanged, with a new record' : 'unchanged'
}

function garbage(task: PrepareTask, reply: PrepareReply): PrepareReply {
  if (reply.kind !== 'prepared' || task.record === null) return reply
  const pairs = reply.material.pairs.map((pair) => ({ ...pair, chain: new TextEncoder().encode('garbage') }))
  return { ...reply, material: { ...reply.material, pairs } }
}

function seeingOthers(tasks: WorkerTasks): WorkerTasks {
  let calls = 0
  return {
    ...tasks,
    async verify(task) {
      const checks = await tasks.verify(task)
      if (++calls === 1) return checks
      const certificate = { subject: 'CN=other.example', fingerprint256: '14:7B:1C:D0' }
      return checks.map((check) => ({ ...check, certificate }))
    },
  }
}

/** Accepts peers, unless their certificate requests another behaviour. */
function judgeOrDie({ chains, authorities }: JudgePeersTask): JudgePeersReply {
  if (authorities && Buffer.from(authorities).toString() === 'down') process.exit(3)
  let isFirst = true
  return chains.map(({ certificates: [leaf] }) => {
    const what = leaf ? Buffer.from(leaf).toString('latin1') : ''
    if (what.startsWith('exits')) process.exit(3)
    if (what.startsWith('once') && leaf && Atomics.exchange(leaf, 0, 0) !== 0) process.exit(3)
    if (what.startsWith('throws')) throw new Error('poison')
    if (what.startsWith('spins')) for (;;);
    if (what.startsWith('slow') && !isFirst) return null
    isFirst = false
    return true
  })
}
