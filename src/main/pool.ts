import { EventEmitter } from 'node:events'
import { stat } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort, type Transferable } from 'node:worker_threads'

import { Piscina } from 'piscina'

import type {
  PrepareHostsReply,
  PrepareHostsTask,
  SealHostsReply,
  SealHostsTask,
} from '../workers/hosts/protocol.js'
import type { JudgePeersReply, JudgePeersTask } from '../workers/judge-peers.js'
import type { LookOutTask, QuietLog } from '../workers/look-out.js'
import type { NamedTask, PrepareReply, PrepareTask } from '../workers/protocol.js'
import type { VerifyReply, VerifyTask } from '../workers/verify.js'
import type { Clock } from './clock.js'
import { ReloadError } from './errors.js'
import type { WorkerOptions } from './options.js'

/** The worker side of one engine. Engines with the same limits share their threads. */
export interface Preparer {
  /**
   * Runs one PREPARE in a worker thread.
   *
   * @throws ReloadError `WORKER_TIMEOUT`, `WORKER_CRASHED` or `CLOSED`.
   */
  prepare(task: PrepareTask): Promise<PrepareReply>
  prepareHosts(task: PrepareHostsTask): Promise<PrepareHostsReply>
  sealHosts(task: SealHostsTask): Promise<SealHostsReply>
  /** Dials listeners from the worker. @throws ReloadError as `prepare` does. */
  verify(task: VerifyTask): Promise<VerifyReply>
  /** Holds peers against a trust. @throws ReloadError as `prepare` does. */
  judgePeers(task: JudgePeersTask): Promise<JudgePeersReply>
  /**
   * Has a thread stand by for {@link Watchman | looks}. As long as the port is open, one thread is kept; it closes when
   * that ends.
   *
   * @throws ReloadError as `prepare` does.
   */
  lookOut(): Promise<Watchman>
  /** Ends the tasks of this engine, and the threads once no engine needs them. */
  close(): Promise<void>
}

/** A thread that answers in shared memory, and by a message when the answer is no. */
export interface Watchman {
  /** Takes a `LookOutOrder`, or `null` to rest. */
  readonly port: MessagePort
  readonly quiet: QuietLog
}

/** Beside this file in source and in the published build alike. Of a URL, Piscina would make a path for each task. */
const ENTRY: string = fileURLToPath(new URL('../workers/entry.cjs', import.meta.url))
const TASKS: URL = new URL('../workers/prepare.js', import.meta.url)

/** A second thread, so that an engine whose task hangs does not hold up another. */
const MAX_THREADS = 2

/** Left to itself, V8 lets short-lived objects pile up over thousands of reloads before it looks at them. */
const YOUNG_GENERATION_MB = 8

/**
 * Where traffic and a reload want the same processor, traffic goes first. Only Linux knows priorities of threads; elsewhere
 * it would be the process's (setpriority(2), "C library/kernel differences").
 */
const NICENESS = process.platform === 'linux' ? 5 : 0

interface SharedPool {
  readonly piscina: Piscina
  /** Of all tasks that have no answer yet, those of every engine. */
  readonly waiting: Set<TaskSignal>
  leases: number
  watchmen: number
}

/** Why a task was given up. */
type Abortion =
  | { readonly why: 'timeout' | 'closed' }
  | { readonly why: 'no-thread'; readonly code: string | undefined }

/** What Piscina takes for an AbortSignal, at a fraction of its price: a check makes one each time. */
class TaskSignal extends EventEmitter {
  aborted = false
  reason: Abortion | undefined

  abort(reason: Abortion): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.emit('abort')
  }
}

const pools = new Map<string, SharedPool>()

export function openPreparer(limits: Required<WorkerOptions>, clock: Clock, tasks: URL = TASKS): Preparer {
  const key = JSON.stringify([tasks.href, limits.idleTimeoutMs, limits.memoryLimitMb])
  const pool = pools.get(key) ?? createPool(limits, tasks)
  pools.set(key, pool)
  pool.leases++
  const running = new Set<TaskSignal>()
  const watchmen = new Set<MessagePort>()
  let closed = false

  async function run<Reply>(
    name: NamedTask['name'],
    task: object,
    transferList: Transferable[] = [],
  ): Promise<Reply> {
    assertOpen()
    const signal = new TaskSignal()
    const cancel = clock.after(limits.timeoutMs, () => {
      signal.abort({ why: 'timeout' })
      setImmediate(wakeQueue, pool.piscina, limits.timeoutMs)
    })
    running.add(signal)
    pool.waiting.add(signal)
    try {
      return (await pool.piscina.run({ name, task } satisfies NamedTask, { signal, transferList })) as Reply
    } catch (error) {
      throw asReloadError(error, signal.reason, limits)
    } finally {
      cancel()
      running.delete(signal)
      pool.waiting.delete(signal)
    }
  }

  /** Piscina itself would come back to life: with a task, or with a thread that is to be kept. */
  function assertOpen(): void {
    if (closed) throw new ReloadError('CLOSED', 'the reload engine is closed')
  }

  /** At once when the engine closes: Piscina replaces a thread that ends for as long as one is to be kept. */
  function dismiss(port: MessagePort): void {
    if (!watchmen.delete(port)) return
    keepThread(pool, -1)
    // Piscina counts the idle time from the end of a task, once.
    const isIdle = pool.watchmen === 0 && pool.leases > 0 && pool.piscina.threads.length > 0
    if (isIdle) runNothing(pool.piscina, limits.timeoutMs)
  }

  return {
    prepare: (task) => run('prepare', task),
    prepareHosts: (task) => run('prepareHosts', task),
    sealHosts: (task) => run('sealHosts', task),
    verify: (task) => run('verify', task),
    judgePeers: (task) => run('judgePeers', task),
    async lookOut() {
      assertOpen()
      const { port1: port, port2 } = new MessageChannel()
      const quiet: QuietLog = new BigInt64Array(new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT))
      watchmen.add(port)
      keepThread(pool, 1)
      port.once('close', () => dismiss(port))
      try {
        await run('lookOut', { port: port2, quiet } satisfies LookOutTask, [port2])
      } catch (error) {
        port.close()
        throw error
      }
      return { port, quiet }
    },
    async close() {
      if (closed) return
      closed = true
      pool.leases--
      for (const signal of running) signal.abort({ why: 'closed' })
      for (const port of watchmen) {
        port.close()
        dismiss(port)
      }
      if (pool.leases > 0) return
      pools.delete(key)
      await pool.piscina.destroy()
    },
  }
}

function createPool(limits: Required<WorkerOptions>, tasks: URL): SharedPool {
  // libuv's threads inherit the priority of the thread that needs them first, which must not be a worker.
  stat('.', () => {})
  const piscina = new Piscina({
    filename: ENTRY,
    workerData: tasks.href,
    recordTiming: false,
    minThreads: 0,
    maxThreads: MAX_THREADS,
    idleTimeout: limits.idleTimeoutMs,
    resourceLimits: {
      maxOldGenerationSizeMb: limits.memoryLimitMb,
      maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
    },
    niceIncrement: NICENESS,
    // The application's loaders and debugger flags have no business in this thread.
    execArgv: [],
    // A thread parked in Atomics.wait would keep what the last rehearsal left until the next one.
    atomics: 'disabled',
  })
  const waiting = new Set<TaskSignal>()
  // Without a listener, an idle thread that dies would end the process; the next task starts another thread.
  piscina.on('error', (error: NodeJS.ErrnoException | undefined) => {
    // Threads that cannot even start would be waited for until the time is over.
    const stuck = piscina.threads.length === 0 && piscina.queueSize > 0
    const abortion: Abortion = { why: 'no-thread', code: error?.code }
    if (stuck) for (const signal of waiting) signal.abort(abortion)
  })
  return { piscina, waiting, leases: 0, watchmen: 0 }
}

/** Piscina ends a thread for which it has had no task for a while, and does not know of looks. */
function keepThread(pool: SharedPool, change: 1 | -1): void {
  pool.watchmen += change
  pool.piscina.options.minThreads = pool.watchmen > 0 ? 1 : 0
}

/** A thread that was ended leaves the queue behind; Piscina starts another one only for a task that comes. */
function wakeQueue(piscina: Piscina, timeoutMs: number): void {
  if (piscina.queueSize > 0) runNothing(piscina, timeoutMs)
}

/** A thread that hangs is ended for it. */
function runNothing(piscina: Piscina, timeoutMs: number): void {
  const signal = AbortSignal.timeout(timeoutMs)
  piscina.run({ name: 'verify', task: { targets: [] } } satisfies NamedTask, { signal }).catch(() => {})
}

function asReloadError(
  error: unknown,
  abortion: Abortion | undefined,
  limits: Required<WorkerOptions>,
): ReloadError {
  if (abortion?.why === 'closed') return new ReloadError('CLOSED', 'the reload engine was closed')
  if (abortion?.why === 'no-thread') return couldNotStart(abortion.code)
  if (abortion?.why === 'timeout') {
    const message = `the worker did not prepare the certificates within ${limits.timeoutMs} ms and was ended`
    return new ReloadError('WORKER_TIMEOUT', message)
  }
  // What was thrown may be anything, `undefined` included.
  const { code } = Object(error) as NodeJS.ErrnoException
  if (code === 'ERR_MODULE_NOT_FOUND') return couldNotStart(code)
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message = `the worker needed more than its limit of ${limits.memoryLimitMb} MiB; see worker.memoryLimitMb`
    return new ReloadError('WORKER_CRASHED', message)
  }
  return new ReloadError('WORKER_CRASHED', `the worker thread failed: ${placeOf(error)}`)
}

function couldNotStart(code: string | undefined): ReloadError {
  const message =
    `the worker thread could not start (${code ?? 'no code'}); a bundler must leave certswap out, ` +
    'because the worker has files of its own'
  return new ReloadError('WORKER_CRASHED', message)
}

/** Kind and place of an error, without its message, which could quote what was being parsed. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const exit = /^worker exited with code: \d+$/.exec(error.message)
  if (exit) return exit[0]
  const frame = /^\s+at .*$/m.exec(framesOf(error))?.[0].trim() ?? 'at an unknown place'
  return `${error.name} ${frame}`
}

/** The stack behind the message, whose own lines can look like frames; nothing when the message is not in it. */
function framesOf({ message, stack = '' }: Error): string {
  const start = stack.indexOf(message)
  return start < 0 ? '' : stack.slice(start + message.length)
}
