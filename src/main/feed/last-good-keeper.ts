import { type Problem, ProblemError } from '../../workers/base/problem.js'
import type { Clock } from '../base/clock.js'
import { runInSlices } from '../generation/slices.js'
import type { HeldDelivery } from '../reload/material-feed.js'
import { bytesOfMaterial, withHostsOf } from './delivery-bytes.js'
import { materialIn } from './held-material.js'
import { MAX_FILE_BYTES } from './last-good-file.js'
import type { LastGoodHead } from './last-good-head.js'
import { type KeptDelivery, type LastGoodPlace, LastGoodStore } from './last-good-store.js'

/** Keeps the material in service on disk, in the background. No failure affects the material in service. */
export interface LastGoodKeeper {
  /**
   * Copies a delivery in slices, and writes it: one write at a time, and of the deliveries that wait, only the newest. A write
   * that fails is repeated, after 1 s and then after twice the time, up to 60 s. Does nothing after `close`.
   *
   * @param keepsHosts - whether the hosts of the delivery before are kept with it.
   * @returns a promise that resolves when the delivery is copied. It never rejects.
   */
  keep(held: HeldDelivery, keepsHosts: boolean): Promise<void>
  /**
   * The delivery that was kept; `null` if there is none.
   * @throws ProblemError with a code `LAST_GOOD_*` for a file that is refused
   */
  read(): Promise<KeptDelivery | null>
  /** Ends the write that is running, and the one that waits, for at most 5 s. */
  close(): Promise<void>
}

export interface LastGoodKeeperOptions extends LastGoodPlace {
  readonly clock: Clock
  /** A write failed, and the one before did not: `LAST_GOOD_UNWRITTEN`. */
  onFailed(problem: Problem): void
  /** @param recovered - whether a write failed before. */
  onWritten(version: string, recovered: boolean): void
}

export function createLastGoodKeeper(options: LastGoodKeeperOptions): LastGoodKeeper {
  const { clock } = options
  const store = new LastGoodStore(options)
  let waiting: Copy | null = null
  let running: Promise<void> | null = null
  let copying: Promise<void> = Promise.resolve()
  let cancelRetry: (() => void) | null = null
  let retryMs = FIRST_RETRY_MS
  let failing = false
  let closed = false
  let retries = true

  function keep(held: HeldDelivery, keepsHosts: boolean): Promise<void> {
    // In turn, so that the newest is the last.
    if (!closed) copying = copying.then(() => copy(held, keepsHosts)).catch(fail)
    return copying
  }

  async function copy(held: HeldDelivery, keepsHosts: boolean): Promise<void> {
    const { version, revision } = held
    const steps = bytesOfMaterial(materialIn(held), MAX_MATERIAL_BYTES)
    const bytes = await runInSlices(steps, { longestMs: 0 })
    const earlier = waiting
    waiting = after({ version, revision, bytes, keepsHosts }, earlier)
    earlier?.bytes?.fill(0)
    start()
  }

  function start(): void {
    cancelRetry?.()
    cancelRetry = null
    running ??= writeAll()
  }

  async function writeAll(): Promise<void> {
    while (waiting && !cancelRetry) {
      const copy: Copy = waiting
      waiting = null
      const written = await write(copy)
      if (!written && copy.bytes && !waiting && retries) {
        waitToRetry(copy)
        continue
      }
      if (!written && waiting) waiting = after(waiting, copy)
      copy.bytes?.fill(0)
    }
    // Without another turn, because `keep` starts a write only if none is running.
    running = null
  }

  async function write({ version, revision, bytes, keepsHosts }: Copy): Promise<boolean> {
    try {
      if (!bytes) throw new Error(`it has more than ${MAX_MATERIAL_BYTES} bytes`)
      await store.write(bytes, { version, revision, keepsHosts, nowMs: clock.wallMs() })
    } catch (error) {
      fail(error)
      return false
    }
    const recovered = failing
    failing = false
    retryMs = FIRST_RETRY_MS
    options.onWritten(version, recovered)
    return true
  }

  function fail(error: unknown): void {
    if (!failing) options.onFailed(unwritten(options.dir, error))
    failing = true
  }

  function waitToRetry(copy: Copy): void {
    waiting = copy
    cancelRetry = clock.after(retryMs, start)
    retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)
  }

  async function close(): Promise<void> {
    closed = true
    // Storage that hangs must not keep the engine from closing.
    let cancel = () => {}
    const tooLong = new Promise<void>((resolve) => {
      cancel = clock.after(CLOSE_MS, resolve)
    })
    await Promise.race([copying, tooLong])
    // Not before: a delivery that is still copied may get its hosts from the write that failed last.
    retries = false
    if (cancelRetry) {
      cancelRetry()
      cancelRetry = null
      waiting?.bytes?.fill(0)
      waiting = null
    }
    await Promise.race([running, tooLong])
    cancel()
  }

  return { keep, read: () => store.read(), close }
}

/** A delivery that waits; `bytes` is `null` if it is too large to be kept. */
interface Copy extends Pick<LastGoodHead, 'version' | 'revision'> {
  readonly bytes: Buffer | null
  /** Whether the hosts of the copy before it are missing. */
  readonly keepsHosts: boolean
}

/** A copy that replaces an earlier one, which was not written. */
function after(next: Copy, earlier: Copy | null): Copy {
  if (!next.keepsHosts || !next.bytes || !earlier?.bytes) return next
  return { ...next, bytes: withHostsOf(next.bytes, earlier.bytes), keepsHosts: earlier.keepsHosts }
}

const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 60_000
const CLOSE_MS = 5_000
/** The rest is more than the head of a file can have. */
const MAX_MATERIAL_BYTES = MAX_FILE_BYTES - 1024 * 1024

function unwritten(dir: string, error: unknown): Problem {
  const { code, syscall } = error as NodeJS.ErrnoException
  const isOfSystem = !(error instanceof ProblemError) && code !== undefined
  const reason = isOfSystem ? `${syscall ?? 'write'} failed: ${code}` : (error as Error).message
  const message = `the material in service cannot be kept in ${dir}: ${reason}; it is served, but a start without the source would not find it`
  return { code: 'LAST_GOOD_UNWRITTEN', message, path: dir }
}
