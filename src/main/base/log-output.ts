import { constants, fstatSync, openSync, writeSync } from 'node:fs'

import { callUserCode } from './user-code.js'

/** Lines that were lost while the log could not be written; reported as soon as it can be written again. */
export interface LostLines {
  readonly count: number
  /** For how long the log could not be written, in milliseconds. */
  readonly forMs: number
  /** `EAGAIN`: the reader did not keep up. `EPIPE`: it had ended. `ENOSPC`: the disk was full. */
  readonly code: string
}

/** Lines that wait for a reader that does not keep up. Beyond this size, lines are dropped. */
const MOST_WAITING_BYTES = 1024 * 1024

/** Between two attempts to write what waits, in milliseconds: doubled from the first to the last. */
const FIRST_RETRY_MS = 5
const LAST_RETRY_MS = 250

/** How long lines that still wait may delay the end of the process. */
const LAST_WRITE_MS = 200
const LAST_WRITE_STEP_MS = 5

let linesDropped = 0

/** Log lines that this process has dropped because they could not be written. */
export function droppedLogLines(): number {
  return linesDropped
}

const outputs = new Map<1 | 2, LogOutput>()

/**
 * The one output of this process for a descriptor.
 *
 * @param fd - 1 is standard output, for log lines; 2 is standard error.
 */
export function logOutput(fd: 1 | 2 = 1): LogOutput {
  const output = outputs.get(fd) ?? new LogOutput(fd)
  outputs.set(fd, output)
  return output
}

/**
 * A descriptor for lines: it never holds the event loop, never throws, and never keeps the process from ending.
 *
 * A write to a full pipe, to a terminal that ^S has stopped, or to a socket whose reader is suspended blocks the thread that
 * makes it. In the main thread it would stop handshakes, signals and timers; in a thread of libuv's pool it would stop
 * the exit, which joins that pool (`uv_library_shutdown`). So all writes are made here, without blocking. What the reader
 * does not take waits in a buffer of 1 MiB; lines beyond that are dropped, counted and reported. Lines of up to 4096 bytes
 * (PIPE_BUF on Linux) are written as a whole or not at all, so lines of several processes that share a pipe do not mix.
 *
 * A regular file is written at once, as it has no reader to wait for.
 */
export class LogOutput {
  /** Called when the log can be written again after lines were lost, to report the loss in the log itself. */
  onRecovered: (lost: LostLines) => void = () => {}
  /**
   * Whether child processes can inherit the descriptor. If not, a child that does makes writes of this process block: libuv
   * switches what a child inherits to blocking, for all processes that share it.
   */
  readonly inheritable: boolean
  readonly #fd: number
  /** Writes the lines where the application, or what runs it, has replaced the `write` of the process's own stream. */
  readonly #replaced: ((line: string) => unknown) | null
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #timer: NodeJS.Timeout | null = null
  #retryMs = FIRST_RETRY_MS
  #lost = 0
  /** Since when the log cannot be written, and why; `null` when it can. */
  #trouble: { readonly sinceMs: number; readonly code: string } | null = null
  /** Whether the first of the waiting lines has been written in part. */
  #partial = false
  /** Whether the rest of such a line was lost, so that the next one must begin with a line end. */
  #torn = false

  /** @param fd of standard output, or of standard error; it stays open. */
  constructor(fd: 1 | 2) {
    // With big integers: after any other look at a pipe, Node 20 and 22 resolve links in the paths of modules wrongly
    // (`realpathSync` reads what the last such call has left behind).
    const isFile = fstatSync(fd, { bigint: true }).isFile()
    const own = isFile ? fd : reopened(fd)
    // Node switches pipes and sockets to non-blocking writes when it opens its own stream for them.
    if (own === null) void (fd === 1 ? process.stdout : process.stderr)
    this.#fd = own ?? fd
    this.inheritable = own !== null
    this.#replaced = replacedWrite(fd)
    process.on('exit', () => this.flushSync())
  }

  /** Whether the reader has not taken all that was written. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Whether the last write failed, and not because the reader did not keep up. */
  get isBroken(): boolean {
    return this.#trouble !== null && this.#trouble.code !== 'EAGAIN'
  }

  /** Writes a line, with its line end: now, or when the reader takes it. */
  write(line: string): void {
    const replaced = this.#replaced
    if (replaced) {
      callUserCode('logger', 'the replaced write of process.stdout or process.stderr', () => replaced(line))
      return
    }
    const bytes = Buffer.from(line)
    if (this.#waitingBytes + bytes.length > MOST_WAITING_BYTES && this.#waiting.length > 0) {
      this.#drop(1)
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (!this.#timer) this.#writeWaiting()
  }

  /** Writes what waits, for 200 ms at most, during which it blocks: for the end of the process. */
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

  /** Takes what the descriptor accepts from the waiting lines. @throws with the system's error code. */
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
 * PM2 in cluster mode, test runners and tools that capture output replace `process.stdout.write`; what is written past it
 * would reach no log. pino looks for it in the same way.
 */
function replacedWrite(fd: 1 | 2): ((line: string) => unknown) | null {
  const stream = fd === 1 ? process.stdout : process.stderr
  const { write } = stream.constructor.prototype as { write: unknown }
  return stream.write === write ? null : (line) => stream.write(line)
}

/**
 * Opens a pipe or a terminal once more, so that writes do not block here and still do elsewhere: the flag O_NONBLOCK belongs
 * to what was opened, which other processes share.
 *
 * @returns `null` where that is not possible: for a socket, without /proc, and where the pipe belongs to another user.
 */
function reopened(fd: number): number | null {
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return null
  }
}
