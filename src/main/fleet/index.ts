import cluster from 'node:cluster'
import { type MessagePort, parentPort, type Worker } from 'node:worker_threads'

import { internalsOf } from '../engine.js'
import { ReloadError } from '../errors.js'
import { type Logger, resolveLogger } from '../observe/logger.js'
import type { ReloadEngine } from '../reload-engine.js'
import { reportRuntime } from '../runtime/runtime-support.js'
import { loadThreadCode } from '../threads/thread-code.js'
import { Fleet } from './fleet.js'
import { type MemberStatus, NOBODY } from './followers.js'
import { FollowingEngine } from './following-engine.js'
import type { JoinedEngine } from './joined-engine.js'
import { type Channel, clusterChannel, openLink, parentChannel, threadChannel } from './link.js'
import type { ToMember, ToPrimary } from './messages.js'

export type { MemberResult, MemberStatus } from './followers.js'
export type { AppliedGeneration, JoinedEngine, JoinedEvents, JoinedStatus } from './joined-engine.js'

/** Options of {@link shareEngine}. */
export interface ShareOptions {
  /**
   * Tells the fleets of a process apart, where it has several engines.
   * @defaultValue `'default'`
   */
  readonly name?: string
  /**
   * How long a member may take to build what it is sent, and to take it over, in milliseconds; then nobody takes it over.
   * @defaultValue `10000`
   */
  readonly timeoutMs?: number
}

/** Options of {@link joinEngine}. */
export interface JoinOptions extends ShareOptions {
  /**
   * A pino logger, or the four methods of one.
   * @defaultValue pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

/** The processes and threads that follow an engine. */
export interface SharedEngine {
  /** Lets a thread join, by its `Worker`, or by a port whose other end it has. Workers of `node:cluster` need no call. */
  add(thread: Worker | MessagePort): void
  members(): readonly MemberStatus[]
  /** Shares no more: members serve on what they have. */
  close(): void
}

const TIMEOUT_MS = 10_000

/**
 * Lets the workers of `node:cluster`, and threads that are added, serve what this engine prepares: all of them take a
 * generation over, or none does, and their clients resume each other's TLS sessions.
 *
 * Private keys travel to cluster workers through a pipe that nobody else can read; with
 * `cluster.setupPrimary({ serialization: 'advanced' })` as bytes, otherwise as text.
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function shareEngine(engine: ReloadEngine, options: ShareOptions = {}): SharedEngine {
  const { name = 'default', timeoutMs = TIMEOUT_MS } = options
  const internals = internalsOf(engine)
  if (!internals) throw invalid('shareEngine: expected an engine of createReloadEngine')
  assertTimeout(timeoutMs)
  const { reloader, clock, logger } = internals
  if (reloader.followers instanceof Fleet) throw invalid('shareEngine: the engine is shared already')
  const onClose = () => {
    cluster.off('fork', addWorker)
    reloader.followers = NOBODY
  }
  const fleet = new Fleet({ engine, serving: reloader.serving, clock, logger, timeoutMs, onClose })
  reloader.followers = fleet
  const add = (channel: Channel) => fleet.welcome(openLink<ToMember>(channel, name))
  const addWorker = (worker: Parameters<typeof clusterChannel>[0]) =>
    add(clusterChannel(worker, (cluster.settings as { serialization?: string }).serialization !== 'advanced'))
  if (cluster.isPrimary) {
    for (const worker of Object.values(cluster.workers ?? {})) if (worker) addWorker(worker)
    cluster.on('fork', addWorker)
  }
  return {
    add: (thread) => add(threadChannel(thread)),
    members: () => fleet.members(),
    close: () => fleet.close(),
  }
}

/**
 * Joins the process that prepares: in a worker of `node:cluster`, in a process that was forked, or in a worker thread.
 * Resolves with an engine that has the certificates of now.
 *
 * @throws ReloadError `OPTIONS_INVALID` where there is no such process, `MEMBER_TIMEOUT`, `MEMBER_REFUSED` or `CLOSED`.
 */
export async function joinEngine(options: JoinOptions = {}): Promise<JoinedEngine> {
  const { name = 'default', timeoutMs = TIMEOUT_MS, logger = null } = options
  assertTimeout(timeoutMs)
  const channel = parentPort ? threadChannel(parentPort) : process.send ? parentChannel(process) : null
  if (!channel)
    throw invalid('joinEngine: there is no process to join: this is no cluster worker, child or thread')
  const resolved = await resolveLogger(logger)
  await reportRuntime(resolved)
  await loadThreadCode()
  const link = openLink<ToPrimary>(channel, name)
  return await new FollowingEngine(link, resolved).join(process.pid, timeoutMs)
}

function assertTimeout(timeoutMs: number): void {
  if (timeoutMs >= 1 && timeoutMs <= 2_147_483_647) return
  throw invalid(`\`timeoutMs\`: expected a number from 1 to 2147483647, got ${timeoutMs}`)
}

function invalid(message: string): ReloadError {
  return new ReloadError('OPTIONS_INVALID', message)
}
