import type { ReloadEngine } from '../../api/reload-engine.js'
import type { ReloadResult } from '../../api/result.js'
import { takeEnvironment } from './environment.js'
import { type Message, monotonicNow, statusLine } from './message.js'
import { type NotifierOptions, resolveNotifierOptions } from './options.js'
import { Outbox } from './outbox.js'
import { statusOf } from './status-text.js'
import { openTransport, type Transport } from './transport.js'
import { startWatchdog } from './watchdog.js'

/**
 * Reports the state of the service to systemd. Without systemd (no `NOTIFY_SOCKET`) all methods do nothing. Failures to reach
 * systemd do not affect the service; each is logged once.
 */
export interface Notifier extends AsyncDisposable {
  /** Sends `READY=1`. Call it when the service accepts connections and its signal handlers are installed. */
  ready(): void
  /**
   * Calls `engine.reload()` for a SIGHUP. Sends `RELOADING=1` before it and `READY=1` after it, even if it fails. Can be
   * passed in place of an engine: `handleSignals(drain, notifier)`.
   * @throws ReloadError `CLOSED`; a problem with the files is a `rejected` result.
   */
  reload(): Promise<ReloadResult>
  /** Sets the line that `systemctl status` shows; line ends in it are escaped. */
  status(text: string): void
  /** Sends `STOPPING=1`: the service is about to exit. After that, the engine's state is not shown any more. */
  stopping(text?: string): void
  /** Requests this many milliseconds, counted from now, for the start or stop: `EXTEND_TIMEOUT_USEC=`. */
  extend(ms: number): void
  /** Resolves once systemd has received all messages, at the latest after 3 seconds. The engine stays open. */
  close(): Promise<void>
}

/**
 * Creates the notifier of a service with `Type=notify`. Removes `NOTIFY_SOCKET` and the watchdog's variables from
 * `process.env`, so that no child process sends messages for the service.
 *
 * @example
 * const notifier = createNotifier({ engine })
 * process.on('SIGHUP', () => notifier.reload().catch(() => {}))
 * server.listen(8443, () => notifier.ready())
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function createNotifier(options: NotifierOptions): Notifier {
  return startNotifier(options, process.env)
}

/** @internal */
export function startNotifier(options: NotifierOptions, env: NodeJS.ProcessEnv): Notifier {
  const { engine, ffi, logger } = resolveNotifierOptions(options)
  const { socket, watchdogMs } = takeEnvironment(env)
  const logOnce = oncePerReason((reason) => {
    logger.warn({ reason }, 'the state of this service cannot be reported to systemd')
  })
  if (socket === null) return new SystemdNotifier(engine, null)
  if (!/^[/@]./.test(socket)) {
    logOnce(`NOTIFY_SOCKET is neither a path nor an abstract name: ${socket}`)
    return new SystemdNotifier(engine, null)
  }
  const transport = openTransport(socket, ffi, env)
  const notifier = new SystemdNotifier(engine, async (message) => {
    await transport.send(message).catch((error: unknown) => logOnce(reasonOf(error)))
  })
  if (watchdogMs !== null) watch(notifier, transport, watchdogMs, logOnce)
  return notifier
}

/** A systemd that does not read, or whose queue is full, must not prevent the exit of the process. */
const CLOSE_WITHIN_MS = 3_000

class SystemdNotifier implements Notifier {
  readonly #engine: ReloadEngine
  readonly #outbox: Outbox | null
  readonly #onClose: (() => void)[] = []
  #phase: 'starting' | 'running' | 'stopping' = 'starting'
  #reloads = 0
  #shown = ''

  constructor(engine: ReloadEngine, send: ((message: Message) => Promise<void>) | null) {
    this.#engine = engine
    this.#outbox = send && new Outbox(send)
    if (!send) return
    const settled = () => this.#showEngine()
    engine.on('settled', settled).on('expiring', settled)
    this.beforeClose(() => engine.off('settled', settled).off('expiring', settled))
  }

  ready(): void {
    if (this.#phase !== 'starting') return
    this.#phase = 'running'
    this.#send('READY=1', this.#engineLine())
  }

  async reload(): Promise<ReloadResult> {
    // For systemd, there is nothing to reload before READY=1 and after STOPPING=1.
    if (this.#phase !== 'running') return await this.#engine.reload({ trigger: 'signal' })
    this.#reloads++
    this.#send('RELOADING=1', monotonicNow())
    try {
      return await this.#engine.reload({ trigger: 'signal' })
    } finally {
      this.#reloads--
      // Also after a failure: while a unit is reloading, it cannot be reloaded, and units that depend on it wait.
      if (this.#reloads === 0 && this.#isRunning()) this.#send('READY=1', this.#engineLine())
    }
  }

  status(text: string): void {
    this.#show(statusLine(text))
  }

  stopping(text = 'stopping'): void {
    if (this.#phase === 'stopping') return
    this.#phase = 'stopping'
    this.#send('STOPPING=1', statusLine(text))
  }

  extend(ms: number): void {
    this.#send(`EXTEND_TIMEOUT_USEC=${Math.max(0, Math.round(ms * 1000))}`)
  }

  async close(): Promise<void> {
    for (const undo of this.#onClose.splice(0)) undo()
    await this.#outbox?.flushed(CLOSE_WITHIN_MS)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  beforeClose(undo: () => void): void {
    this.#onClose.push(undo)
  }

  /** During a reload by a signal, the status is sent with its READY=1. */
  #showEngine(): void {
    if (this.#isRunning() && this.#reloads === 0) this.#show(this.#engineLine())
  }

  #isRunning(): boolean {
    return this.#phase === 'running'
  }

  #engineLine(): string {
    return statusLine(statusOf(this.#engine.status()))
  }

  /** An unchanged status is not sent again, because each message may start a process. */
  #show(line: string): void {
    if (line !== this.#shown) this.#send(line)
  }

  #send(...message: string[]): void {
    this.#shown = message.find((line) => line.startsWith('STATUS=')) ?? this.#shown
    this.#outbox?.put(message)
  }
}

function watch(
  notifier: SystemdNotifier,
  { sendNow }: Transport,
  watchdogMs: number,
  logOnce: (reason: string) => void,
): void {
  if (!sendNow) {
    logOnce(
      'WatchdogSec= needs the option `ffi` and a Node with node:ffi; set both, or remove it from the unit',
    )
    return
  }
  const ping = () => {
    try {
      sendNow(['WATCHDOG=1'])
    } catch (error) {
      logOnce(reasonOf(error))
    }
  }
  notifier.beforeClose(startWatchdog(ping, watchdogMs))
}

/** Reports each reason once, because a problem with systemd usually lasts. */
function oncePerReason(report: (reason: string) => void): (reason: string) => void {
  const reported = new Set<string>()
  return (reason) => {
    if (!reported.has(reason)) report(reason)
    reported.add(reason)
  }
}

function reasonOf(error: unknown): string {
  const { code, syscall, message, stderr } = error as NodeJS.ErrnoException & { stderr?: string }
  if (code === 'ENOENT' && syscall?.startsWith('spawn')) return 'the program systemd-notify is not installed'
  return stderr?.trim() || message
}
