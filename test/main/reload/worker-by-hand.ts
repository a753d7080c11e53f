import assert from 'node:assert/strict'

import type { Worker } from '../../../src/main/threads/pool.js'
import type { PrepareReply, PrepareTask } from '../../../src/workers/protocol/prepare.js'
import type { VerifyReply, VerifyTask } from '../../../src/workers/protocol/verify.js'
import { prepareHere } from '../../../support/worker/tasks-here.js'

/** A task that waits for the answer of the test. */
export interface PendingTask<Task, Reply> {
  readonly task: Task
  answer(reply: Reply): void
  fail(error: unknown): void
}

export interface WorkerByHand extends Worker {
  /** The task that has waited longest, for the caller to answer. */
  takePrepare(): PendingTask<PrepareTask, PrepareReply>
  takeVerify(): PendingTask<VerifyTask, VerifyReply>
  /** Whether a verification of the listeners waits for an answer. */
  readonly verifying: boolean
  /** Answers the task that has waited longest with the result of PREPARE for the current files. */
  prepareNext(): Promise<void>
}

/** The worker's side without a worker: each task waits until the test answers it. */
export function workerByHand(): WorkerByHand {
  const prepares: PendingTask<PrepareTask, PrepareReply>[] = []
  const verifies: PendingTask<VerifyTask, VerifyReply>[] = []
  return {
    prepare: (task) => pending(prepares, task),
    prepareHosts: noHosts,
    sealHosts: noHosts,
    verify: (task) => pending(verifies, task),
    judgePeers: () => Promise.reject(new Error('not expected in this test')),
    onReturn: () => () => {},
    readText: () => Promise.reject(new Error('not expected in this test')),
    close: async () => {},
    takePrepare: () => first(prepares),
    takeVerify: () => first(verifies),
    get verifying() {
      return verifies.length > 0
    },
    async prepareNext() {
      const { task, answer } = first(prepares)
      answer(await prepareHere(task))
    },
  }
}

async function noHosts(): Promise<never> {
  throw new Error('a worker by hand has no hosts')
}

function pending<Task, Reply>(queue: PendingTask<Task, Reply>[], task: Task): Promise<Reply> {
  return new Promise((answer, fail) => {
    queue.push({ task, answer, fail })
  })
}

function first<Pending>(queue: Pending[]): Pending {
  const next = queue.shift()
  assert.ok(next, 'no task is waiting')
  return next
}
