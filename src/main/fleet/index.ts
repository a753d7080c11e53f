import cluster, { type Worker as ClusterWorker } from 'node:cluster'
import { type MessagePort, parentPort, type Worker } from 'node:worker_threads'

import type { EvictedMember, MemberStatus } from '../api/members.js'
import type { ReloadEngine } from '../api/reload-engine.js'
import { MAX_TIMER_MS } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import { type Logger, resolveLogger } from '../base/logger.js'
import { callUserCode } from '../base/user-code.js'
import { internalsOf } from '../engine/internals.js'
import { NO_FLEET } from '../reload/fleet.js'
import { reportRuntime } from '../runtime/runtime-support.js'
import { loadThreadCode } from '../threads/thread-code.js'
import { type Channel, clusterChannel, openLink, parentChannel, threadChannel } from './link.js'
import { LinkedFleet } from './linked-fleet.js'
import { LinkedMemberEngine } from './linked-member-engine.js'
import type { MemberEngine } from './member-engine.js'
import type { ToMember, ToPrimary } from './messages.js'

export type { EvictedMember, MemberEviction, MemberResult, MemberStatus } from '../api/members.js'
export type {
  AppliedGeneration,
  Eviction,
  JoinedEvents,
  JoinedStatus,
  MemberEngine,
} from './member-engine.js'

/** Options of {@link shareEngine}. */
export interface ShareOptions {
  /**
   * Name of the fleet, for a process with several engines. Must be equal on both sides.
   * @defaultValue `'default'`
   */
  readonly name?: string
  /**
   * Time limit of a member for each of its two steps, to build the new certificates and to serve them, in milliseconds (1 to
   * 2147483647). If a member does not answer in time, the roll-out is held back: all members keep the old certificates.
   * @defaultValue `10000`
   */
  readonly timeoutMs?: number
  /**
   * Number of consecutive roll-outs that may be held back, 1 to 1000. In the last of them, members that have not answered are
   * evicted: the others apply the new generation, and an evicted member keeps its certificates until it answers and joins
   * again. The value counts as 1 if the new generation withdraws trust (a CA was removed, a revocation list changed), for
   * `reload({ force: true })`, and if a served certificate has less than a tenth of its lifetime, or less than `patience`
   * times `timeoutMs`, left.
   * @defaultValue `3`
   */
  readonly patience?: number
  /**
   * Called for each evicted member, with its cluster worker, thread or port: terminate it here, and start a replacement. A
   * suspended process needs `worker.process.kill('SIGKILL')`, a blocked thread `worker.terminate()`. Errors that the callback
   * throws are logged.
   */
  readonly onEvicted?: (member: EvictedMember, peer: ClusterWorker | Worker | MessagePort) => unknown
}

/** Options of {@link joinEngine}. */
export interface JoinOptions {
  /**
   * Name of the fleet, for a process with several engines. Must be equal on both sides.
   * @defaultValue `'default'`
   */
  readonly name?: string
  /**
   * How long to wait for the first generation, in milliseconds (1 to 2147483647).
   * @defaultValue `10000`
   */
  readonly timeoutMs?: number
  /**
   * A pino logger, or the four methods of one.
   * @defaultValue pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

/** The fleet of an engine. */
export interface SharedEngine {
  /** Lets a thread join: its `Worker`, or a port whose other end it has. Workers of `node:cluster` need no call. */
  add(thread: Worker | MessagePort): void
  members(): readonly MemberStatus[]
  /** Stops sharing. The members keep their current certificates in service. */
  close(): void
}

const TIMEOUT_MS = 10_000
const PATIENCE = 3
const MAX_PATIENCE = 1_000

/**
 * Shares an engine with the workers of `node:cluster` and with threads that are added: either all of them apply a generation,
 * or none does, and a client can resume its TLS session at any of them. Members that do not answer hold a generation back at
 * most `patience` times; then the others continue without them.
 *
 * Private keys are sent to cluster workers through a pipe that no other process can read: as bytes with
 * `cluster.setupPrimary({ serialization: 'advanced' })`, otherwise as text.
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function shareEngine(engine: ReloadEngine, options: ShareOptions = {}): SharedEngine {
  const { name = 'default', timeoutMs = TIMEOUT_MS, patience = PATIENCE, onEvicted } = options
  const internals = internalsOf(engine)
  if (!internals) throw invalid('shareEngine: expected an engine of createReloadEngine')
  assertTimeout(timeoutMs)
  assertPatience(patience)
  if (onEvicted !== undefined && typeof onEvicted !== 'function')
    throw invalid('`onEvicted`: expected a function')
  const { reloader, clock, logger, onDemand, evicted } = internals
  if (reloader.fleet instanceof LinkedFleet) throw invalid('shareEngine: the engine is already shared')
  const onClose = () => {
    cluster.off('fork', addWorker)
    reloader.fleet = NO_FLEET
  }
  const fleet = new LinkedFleet({
    ...{ engine, serving: reloader.serving, onDemand, clock, logger, timeoutMs, patience, onClose },
    endsEvicted: onEvicted !== undefined,
    onEvicted(member, { peer }) {
      evicted(member)
      const end = () => onEvicted?.(member, peer as ClusterWorker | Worker | MessagePort)
      const log = (error: unknown) => logger.error({ err: error }, 'the hook onEvicted threw')
      callUserCode('hook', 'the hook onEvicted', end, log)
    },
  })
  reloader.fleet = fleet
  const add = (channel: Channel) => fleet.addLink(openLink<ToMember>(channel, name))
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
 * Joins the fleet of the primary: from a worker of `node:cluster`, a forked process, or a worker thread. Resolves with an
 * engine that serves the current certificates.
 *
 * @throws ReloadError `OPTIONS_INVALID` for an invalid option and in a process without a parent to join, `MEMBER_TIMEOUT`,
 * `MEMBER_REFUSED`, `CLOSED`, `LOGGER_UNAVAILABLE` or `WORKER_UNAVAILABLE`.
 */
export async function joinEngine(options: JoinOptions = {}): Promise<MemberEngine> {
  const { name = 'default', timeoutMs = TIMEOUT_MS, logger = null } = options
  assertTimeout(timeoutMs)
  const channel = parentPort ? threadChannel(parentPort) : process.send ? parentChannel(process) : null
  if (!channel)
    throw invalid(
      'joinEngine: this process is not a cluster worker, forked process or worker thread; call createReloadEngine() instead',
    )
  const resolved = await resolveLogger(logger)
  await reportRuntime(resolved)
  await loadThreadCode()
  const link = openLink<ToPrimary>(channel, name)
  return await new LinkedMemberEngine(link, resolved).join(process.pid, timeoutMs)
}

function assertTimeout(timeoutMs: number): void {
  if (timeoutMs >= 1 && timeoutMs <= MAX_TIMER_MS) return
  throw invalid(`\`timeoutMs\`: expected a number from 1 to ${MAX_TIMER_MS}, got ${timeoutMs}`)
}

function assertPatience(patience: number): void {
  if (Number.isInteger(patience) && patience >= 1 && patience <= MAX_PATIENCE) return
  throw invalid(`\`patience\`: expected a whole number from 1 to ${MAX_PATIENCE}, got ${patience}`)
}

function invalid(message: string): ReloadError {
  return new ReloadError('OPTIONS_INVALID', message)
}
