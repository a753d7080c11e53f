/*
 * A worker that stands in for the real one. A test starts its engine or pool with `standIn(...)` as the module of the
 * tasks; what each behaviour does in the thread is in `stand-in-tasks.ts`.
 */

import { EventEmitter, on } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { BroadcastChannel } from 'node:worker_threads'

import { eventually } from '../base/eventually.js'
import type { Fault } from './faults.js'

/** How a stand-in differs from the real worker. A fault alone does no real work at all: see `faultTask()`. */
export type Behaviour =
  | Fault
  /** PREPARE and VERIFY have the fault that {@link misbehaveIn} chose, and work otherwise. */
  | 'misbehaves'
  /** PREPARE keeps its reply back while there is a file `gate` beside the certificate; a file `held` says so. */
  | 'gated'
  /** PREPARE reports how each of its tasks ended to {@link replyKinds}. */
  | 'reports-replies'
  /** PREPARE reports what each task that finds nothing new cost: see {@link nextUnchangedCost}. */
  | 'reports-costs'
  /** Content chosen by `poisons()` makes the thread misbehave in the middle of its work. */
  | 'poisoned'
  /** PREPARE takes 200 ms more. */
  | 'slow'
  /** PREPARE hands back a chain that is none, where there was one before. */
  | 'prepares-garbage'
  /** VERIFY reports another certificate after its first look, which precedes the commit. */
  | 'sees-others'
  /** Peers are judged, and the thread fails, as the bytes of their certificates say. */
  | 'judges-or-dies'
  /** PREPARE replies with the stack of the code that loaded the tasks. */
  | 'shows-its-stack'

/** The module of the tasks of such a worker. Several behaviours apply one on the other. */
export function standIn(...behaviours: readonly Behaviour[]): URL {
  const url = new URL('./stand-in-tasks.js', import.meta.url)
  for (const behaviour of behaviours) url.searchParams.append(BEHAVIOUR, behaviour)
  return url
}

export const BEHAVIOUR = 'behaviour'

/** Every worker that `misbehaves` and is to load this certificate has this fault in this phase, until {@link behave}. */
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

/** What a task costs that finds nothing new. */
export interface UnchangedCost {
  /** Files that the worker opened. */
  readonly opened: readonly string[]
  /** Bytes that were copied from one thread to the other, both ways. */
  readonly copiedBytes: number
}

export const COST_CHANNEL = 'certswap-test-unchanged-costs'

/** The cost of the next task of a worker that `reports-costs`, if it finds nothing new. */
export async function nextUnchangedCost(): Promise<UnchangedCost> {
  const channel = new BroadcastChannel(COST_CHANNEL)
  const cost = await new Promise<UnchangedCost>((resolve) => {
    channel.onmessage = ({ data }: MessageEvent) => resolve(data as UnchangedCost)
  })
  channel.close()
  return cost
}

export const REPLY_CHANNEL = 'certswap-test-prepare-replies'

/** What a worker that `reports-replies` replied, one after the other. */
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
