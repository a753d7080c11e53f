import cluster, { type Worker } from 'node:cluster'

import type { Logger } from '../../base/logger.js'
import type { Drain } from '../../drain/handle.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { forkProcess } from './fork-process.js'
import type { MemberFailure, MemberOrder } from './member-order.js'
import { passOnLines } from './member-output.js'

/** Minimum milliseconds between a process and its replacement, for processes that end unexpectedly again and again. */
const MIN_LIFE_MS = 1_000
/** Milliseconds after which a process that does not listen yet is killed; it may have been suspended at its start. */
const MAX_START_MS = 30_000
/** Milliseconds that a process may take to end after the order to cut its connections. */
const LAST_RESORT_MS = 300
/** Milliseconds that an evicted process may take to finish its connections. */
const EVICTED_GRACE_MS = 2_000

/** The address of a serving process. */
type Listening = { readonly address: string; readonly port: number }

/** Starts the processes of `serve --processes`, and replaces those that end unexpectedly or do not respond. */
export class ServingProcesses {
  readonly #drain: Drain
  readonly #logger: Logger
  /** Processes that have been or will be replaced. */
  readonly #replaced = new WeakSet<Worker>()

  constructor(drain: Drain, logger: Logger) {
    this.#drain = drain
    this.#logger = logger
    // A suspended process ignores its time limit, and would keep the port.
    process.once('exit', () => {
      if (drain.state !== 'forced' && drain.state !== 'drained') return
      for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL')
    })
  }

  /** @throws CommandError if the process cannot be started, or ends before it listens */
  async start(): Promise<Listening> {
    return await this.#keep(await forkProcess())
  }

  /**
   * Ends a process that does not respond, and starts its replacement at once: a process may take long to end, for instance
   * while the kernel waits for a disk. It gets `EVICTED_GRACE_MS` to finish its connections, unless it may accept clients
   * that the trust in force refuses. A suspended process ends only by SIGKILL.
   */
  evict(worker: Worker, trustWithdrawn: boolean): void {
    const { pid: memberPid } = worker.process
    this.#replaced.add(worker)
    this.#logger.error(
      { memberPid, trustWithdrawn },
      'a serving process does not respond; it is ended and replaced',
    )
    if (trustWithdrawn) worker.process.kill('SIGKILL')
    else {
      order(worker, { serve: 'drain' })
      killAfter(EVICTED_GRACE_MS, worker)
    }
    void this.#replace()
  }

  /** Resolves once the process listens. From then on, it is replaced when it ends. */
  #keep(worker: Worker): Promise<Listening> {
    passOnLines(worker)
    const startedAt = performance.now()
    const closed = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    this.#drain.track({
      closed,
      goaway: (uri) => order(worker, { serve: 'drain', uri }),
      destroy: () => cut(worker),
    })
    const listening = whenListening(worker)
    listening.then(
      () =>
        worker.once('exit', (code, signal) => this.#endedUnexpectedly(worker, { code, signal, startedAt })),
      () => {},
    )
    return listening
  }

  #endedUnexpectedly(worker: Worker, { code, signal, startedAt }: UnexpectedEnd): void {
    if (this.#replaced.has(worker) || !this.#mayStart) return
    this.#replaced.add(worker)
    const { pid: memberPid } = worker.process
    this.#logger.error({ memberPid, code, signal }, 'a serving process ended unexpectedly; it is replaced')
    setTimeout(() => void this.#replace(), Math.max(0, startedAt + MIN_LIFE_MS - performance.now()))
  }

  /** Retries until it succeeds. */
  async #replace(): Promise<void> {
    if (!this.#mayStart) return
    let worker: Worker | null = null
    try {
      worker = await forkProcess()
      await this.#keep(worker)
    } catch (error) {
      if (worker && this.#replaced.has(worker)) return
      const { message: reason } = error as Error
      this.#logger.error({ reason }, 'a serving process could not be replaced')
      setTimeout(() => void this.#replace(), MIN_LIFE_MS)
    }
  }

  get #mayStart(): boolean {
    return this.#drain.state === 'running' || this.#drain.state === 'lame-duck'
  }
}

interface UnexpectedEnd {
  readonly code: number
  readonly signal: string
  readonly startedAt: number
}

/** Resolves with the address. A process that does not listen within `MAX_START_MS` is killed. */
async function whenListening(worker: Worker): Promise<Listening> {
  let failure = 'it ended before it listened'
  const timer = setTimeout(() => {
    failure = `it did not listen within ${MAX_START_MS / 1000} s`
    worker.process.kill('SIGKILL')
  }, MAX_START_MS).unref()
  try {
    return await new Promise<Listening>((resolve, reject) => {
      worker.on('message', (message: Partial<MemberFailure> | null) => {
        failure = message?.cannotListen ?? failure
      })
      worker.once('listening', ({ address, port }) => resolve({ address: address ?? '::', port }))
      worker.once('exit', () => reject(new CommandError(EXIT.rejected, failure)))
    })
  } finally {
    clearTimeout(timer)
  }
}

/** Orders a process to cut its connections and end; it is killed if it does not end in time. */
function cut(worker: Worker): void {
  order(worker, { serve: 'force' })
  killAfter(LAST_RESORT_MS, worker)
}

function killAfter(ms: number, worker: Worker): void {
  setTimeout(() => worker.process.kill('SIGKILL'), ms).unref()
}

function order(worker: Worker, message: MemberOrder): void {
  if (worker.isConnected()) worker.send(message, () => {})
}
