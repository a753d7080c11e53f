/*
 * A stand-in for the real worker. A test starts its engine or pool with `standIn(...)` as the module of the tasks;
 * `stand-in-tasks.ts` implements each behaviour in the thread.
 */

import { EventEmitter, on } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { BroadcastChannel } from 'node:worker_threads'

import { eventually } from '../base/eventually.js'
import type { Fault } from './faults.js'

/** Differences between a stand-in and the real worker. A fault alone does no real work at all: see `faultTask()`. */
export type Behaviour =
  | Fault
  /** PREPARE and VERIFY have the fault that {@link misbehaveIn} chose, and work otherwise. */
  | 'misbehaves'
  /** PREPARE holds back its reply while a file `gate` exists next to the certificate, and creates a file `held`. */
  | 'gated'
  /** PREPARE reports the kind of each reply to {@link replyKinds}. */
  | 'reports-replies'
  /** PREPARE reports the cost of each task that finds no change: see {@link nextUnchangedCost}. */
  | 'reports-costs'
  /** Content listed in `poisons()` makes the thread misbehave while it works. */
  | 'poisoned'
  /** Searches every buffer of its thread for the secrets of `accountForSecrets()`, before and after each task. */
  | 'accounts-for-secrets'
  /** PREPARE takes 200 ms more. */
  | 'slow'
  /** PREPARE replies with an invalid chain, if there was a valid one before. */
  | 'prepares-garbage'
  /** VERIFY reports another certificate after its first check, which precedes the commit. */
  | 'sees-others'
  /** Judges peers, or fails, by the bytes of their certificates. */
  | 'judges-or-dies'
  /** PREPARE replies with the stack of the code that loaded the tasks. */
  | 'shows-its-stack'

/** The tasks module of such a worker. Several behaviours can be combined. */
export function standIn(...behaviours: readonly Behaviour[]): URL {
  const url = new URL('./stand-in-tasks.js', import.meta.url)
  for (const behaviour of behaviours) url.searchParams.append(BEHAVIOUR, behaviour)
  return url
}

export const BEHAVIOUR = 'behaviour'

/** Gives every worker that `misbehaves` this fault in this phase for this certificate, until {@link behave}. */
export function misbehaveIn(phase: 'prepare' | 'verify', cert: string, fault: Fault): void {
  rmSync(takenBeside(cert), { force: true })
  writeFileSync(markerBeside(cert), `${phase} ${fault}`)
}

export function behave(cert: string): void {
  rmSync(markerBeside(cert))
}

/** Resolves when a worker has begun to misbehave in PREPARE. */
export async function misbehaving(cert: string): Promise<void> {
  await eventually('a worker misbehaves', () => existsSync(takenBeside(cert)))
}

export function markerBeside(cert: string): string {
  return `${cert}.misbehave`
}

export function takenBeside(cert: string): string {
  return `${cert}.taken`
}

export type ReplyKind = 'unchanged' | 'unchanged, with a new record' | 'prepared or refused'

/** The cost of a task that finds no change. */
export interface UnchangedCost {
  /** Files that the worker opened. */
  readonly opened: readonly string[]
  /** Bytes that were copied between the threads, in both directions. */
  readonly copiedBytes: number
}

export const COST_CHANNEL = 'certswap-test-unchanged-costs'

/** The cost of the next task of a worker that `reports-costs`, if it finds no change. */
export async function nextUnchangedCost(): Promise<UnchangedCost> {
  const channel = new BroadcastChannel(COST_CHANNEL)
  const cost = await new Promise<UnchangedCost>((resolve) => {
    channel.onmessage = ({ data }: MessageEvent) => resolve(data as UnchangedCost)
  })
  channel.close()
  return cost
}

export const REPLY_CHANNEL = 'certswap-test-prepare-replies'

/** The kinds of replies of a worker that `reports-replies`, in order. */
export function replyKinds(t: TestContext): { next(): Promise<ReplyKind> } {
  const channel = new BroadcastChannel(REPLY_CHANNEL)
  const replies = new EventEmitter()
  const kinds = on(replies, 'reply')
  channel.onmessage = ({ data }: MessageEvent) => replies.emit('reply', data)
  t.after(() => channel.close())
  return {
    async next() {
      const { value } = await kinds.next()
      return (value as [ReplyKind])[0]
    },
  }
}
