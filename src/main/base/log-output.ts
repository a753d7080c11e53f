import { constants, fstatSync, openSync, writeSync } from 'node:fs'

import { callUserCode } from './user-code.js'

/** Lines that were dropped while the log could not be written; reported as soon as it can be written again. */
export interface LostLines {
  readonly count: number
  /** For how long the log could not be written, in milliseconds. */
  readonly forMs: number
  /** `EAGAIN`: the reader is too slow. `EPIPE`: the reader has closed. `ENOSPC`: the disk is full. */
  readonly code: string
}

/** Size of the buffer for a slow reader. Lines beyond it are dropped. */
const MAX_WAITING_BYTES = 1024 * 1024

/** First and longest pause between two attempts to write the buffer, in milliseconds; doubled each time. */
const FIRST_RETRY_MS = 5
const LAST_RETRY_MS = 250

/** How long unwritten lines may delay the exit of the process, in milliseconds. */
const LAST_WRITE_MS = 200
const LAST_WRITE_STEP_MS = 5

let linesDropped = 0

/** Number of log lines that this process has dropped because they could not be written. */
export function droppedLogLines(): number {
  return linesDropped
}

const outputs = new Map<1 | 2, LogOutput>()

/**
 * The output for a descriptor, shared by the whole process.
 *
 * @param fd - 1 is standard output, for log lines; 2 is standard error.
 */
export function logOutput(fd: 1 | 2 = 1): LogOutput {
  const output = outputs.get(fd) ?? new LogOutput(fd)
  outputs.set(fd, output)
  return output
}

/**
 * Writes lines to a descriptor without blocking the event loop, without throwing, and without preventing the exit.
 *
 * A write to a full pipe, to a terminal stopped with ^S, or to a socket whose reader is suspended blocks its thread. In the
 * main thread it would stop handshakes, signals and timers; in a thread of libuv's pool it would block the exit, which joins
 * that pool (`uv_library_shutdown`). Therefore all writes are made here, without blocking. Unread lines wait in a buffer of
 * 1 MiB; lines beyond that are dropped, counted and reported. Lines of up to 4096 bytes (PIPE_BUF on Linux) are written
 * completely or not at all, so the lines of several processes that share a pipe do not mix.
 *
 * A regular file is written immediately, because it has no reader to wait for.
 */
export class LogOutput {
  /** Called when the log can be written again after lines were dropped, to report that in the log itself. */
  onRecovered: (lost: LostLines) => void = () => {}
  /**
   * Whether child processes may inherit the descriptor. If `false`, a child that inherits it makes writes of this process
   * block: libuv switches inherited descriptors to blocking, for all processes that share them.
   */
  readonly inheritable: boolean
  readonly #fd: number
  /** The replaced `write` of the process's stream, if the application or its runner has replaced it. */
  readonly #replaced: ((line: string) => unknown) | null
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #timer: NodeJS.Timeout | null = null
  #retryMs = FIRST_RETRY_MS
  #lost = 0
  /** Since when the log cannot be written, and why; `null` if it can. */
  #trouble: { readonly sinceMs: number; readonly code: string } | null = null
  /** Whether the first waiting line has been written partially. */
  #partial = false
  /** Whether the rest of such a line was dropped, so that a line end must precede the next line. */
  #torn = false

  /** @param fd standard output or standard error. It stays open. */
  constructor(fd: 1 | 2) {
    // With `bigint`: after any other stat of a pipe, Node 20 and 22 resolve links in module paths wrongly, because
    // `realpathSync` reads the leftover values of that call.
    const isFile = fstatSync(fd, { bigint: true }).isFile()
    const own = isFile ? fd : reopened(fd)
    // Node switches pipes and sockets to non-blocking writes when it opens its stream for them.
    if (own === null) void (fd === 1 ? process.stdout : process.stderr)
    this.#fd = own ?? fd
    this.inheritable = own !== null
    this.#replaced = replacedWrite(fd)
    process.on('exit', () => this.flushSync())
  }

  /** Whether lines wait for the reader. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Whether the last write failed for another reason than a slow reader. */
  get isBroken(): boolean {
    return this.#trouble !== null && this.#trouble.code !== 'EAGAIN'
  }

  /** Writes a line, which includes its line end: now, or when the reader has caught up. */
  write(line: string): void {
    const replaced = this.#replaced
    if (replaced) {
      callUserCode('logger', 'the replaced write of process.stdout or process.stderr', () => replaced(line))
      return
    }
    const bytes = Buffer.from(line)
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES && this.#waiting.length > 0) {
      this.#drop(1)
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (!this.#timer) this.#writeWaiting()
  }

  /** Writes the waiting lines, for the exit of the process. Blocks for at most 200 ms. */
  flushSync(): void {
    const untilMs = performance.now() + LAST_WRITE_MS
    this.#writeWaiting()
    while (this.#waiting.length > 0 && performance.now() < untilMs) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WRITE_STEP_MS)
      this.#writeWaiting()
    }
  }

  #writeWaiting(): void {
    try {
      for (let line = this.#waiting[0]; line; line = this.#waiting[0]) this.#writeFirst(line)
    } catch (error) {
      this.#failed((error as NodeJS.ErrnoException).code ?? 'unknown')
      return
    }
    this.#retryMs = FIRST_RETRY_MS
    this.#recovered()
  }

  /** Writes as much of the first line as the descriptor accepts. @throws an error with the system's error code. */
  #writeFirst(line: Buffer): void {
    if (this.#torn) writeSync(this.#fd, '\n')
    this.#torn = false
    const written = writeSync(this.#fd, line)
    this.#waitingBytes -= written
    if (written === line.length) this.#waiting.shift()
    else this.#waiting[0] = line.subarray(written)
    this.#partial = written < line.length
  }

  #failed(code: string): void {
    this.#trouble = { sinceMs: this.#trouble?.sinceMs ?? performance.now(), code }
    if (code === 'EAGAIN') {
      this.#retryLater()
      return
    }
    this.#torn ||= this.#partial
    this.#partial = false
    this.#drop(this.#waiting.length)
    this.#waiting = []
    this.#waitingBytes = 0
  }

  #retryLater(): void {
    if (this.#timer) return
    const retry = () => {
      this.#timer = null
      this.#writeWaiting()
    }
    this.#timer = setTimeout(retry, this.#retryMs).unref()
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2)
  }

  #drop(count: number): void {
    this.#lost += count
    linesDropped += count
  }

  #recovered(): void {
    if (!this.#trouble) return
    const { sinceMs, code } = this.#trouble
    const count = this.#lost
    this.#trouble = null
    this.#lost = 0
    if (count > 0) this.onRecovered({ count, forMs: Math.round(performance.now() - sinceMs), code })
  }
}

/**
 * PM2 in cluster mode, test runners and tools that capture output replace `process.stdout.write`; lines that bypass it would
 * reach no log. pino detects it in the same way.
 */
function replacedWrite(fd: 1 | 2): ((line: string) => unknown) | null {
  const stream = fd === 1 ? process.stdout : process.stderr
  const { write } = stream.constructor.prototype as { write: unknown }
  return stream.write === write ? null : (line) => stream.write(line)
}

/**
 * Opens a pipe or terminal again, so that writes do not block in this process only: the flag O_NONBLOCK belongs to the open
 * file description, which other processes share.
 *
 * @returns `null` if that is not possible: for a socket, without /proc, and for a pipe of another user.
 */
function reopened(fd: number): number | null {
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return null
  }
}
