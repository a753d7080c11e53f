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
 * Tells systemd how the service is. Without systemd (no `NOTIFY_SOCKET`) all of it does nothing, and no trouble with
 * systemd reaches the service: it is logged, once.
 */
export interface Notifier extends AsyncDisposable {
  /** Call it once the service accepts connections and its signal handlers are there: `READY=1`. */
  ready(): void
  /**
   * `engine.reload()` for a SIGHUP, between `RELOADING=1` and `READY=1`, which comes however the reload ends. Fits where
   * an engine is asked to reload: `handleSignals(drain, notifier)`.
   * @throws ReloadError `CLOSED`; trouble with files is a `rejected` result.
   */
  reload(): Promise<ReloadResult>
  /** One line for `systemctl status`; line ends in it are escaped. */
  status(text: string): void
  /** The service is going to end, for good: `STOPPING=1`. From here on the engine's state is not shown any more. */
  stopping(text?: string): void
  /** Asks for this many more milliseconds to start or to stop, counted from now: `EXTEND_TIMEOUT_USEC=`. */
  extend(ms: number): void
  /** Resolves once systemd has got all messages, after 3 seconds at the latest; the engine stays open. */
  close(): Promise<void>
}

/**
 * Makes the notifier of a service of `Type=notify`. Takes `NOTIFY_SOCKET` and the watchdog's variables out of
 * `process.env`, so that no child speaks for the service.
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
  const complain = sayOnce((reason) => {
    logger.warn({ reason }, 'systemd cannot be told of the state of this service')
  })
  if (socket === null) return new SystemdNotifier(engine, null)
  if (!/^[/@]./.test(socket)) {
    complain(`NOTIFY_SOCKET is neither a path nor an abstract name: ${socket}`)
    return new SystemdNotifier(engine, null)
  }
  const transport = openTransport(socket, ffi, env)
  const notifier = new SystemdNotifier(engine, async (message) => {
    await transport.send(message).catch((error: unknown) => complain(reasonOf(error)))
  })
  if (watchdogMs !== null) watch(notifier, transport, watchdogMs, complain)
  return notifier
}

/** systemd that does not read, or whose queue is full, does not keep the process from ending. */
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
    this.#say('READY=1', this.#engineLine())
  }

  async reload(): Promise<ReloadResult> {
    // Before READY=1 there is nothing to reload from systemd's point of view, and after STOPPING=1 not either.
    if (this.#phase !== 'running') return await this.#engine.reload({ trigger: 'signal' })
    this.#reloads++
    this.#say('RELOADING=1', monotonicNow())
    try {
      return await this.#engine.reload({ trigger: 'signal' })
    } finally {
      this.#reloads--
      // Also after a failure: a unit that is left reloading can be neither reloaded nor depended upon.
      if (this.#reloads === 0 && this.#isRunning()) this.#say('READY=1', this.#engineLine())
    }
  }

  status(text: string): void {
    this.#show(statusLine(text))
  }

  stopping(text = 'stopping'): void {
    if (this.#phase === 'stopping') return
    this.#phase = 'stopping'
    this.#say('STOPPING=1', statusLine(text))
  }

  extend(ms: number): void {
    this.#say(`EXTEND_TIMEOUT_USEC=${Math.max(0, Math.round(ms * 1000))}`)
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

  /** A reload that a signal began says how it ended with its READY=1. */
  #showEngine(): void {
    if (this.#isRunning() && this.#reloads === 0) this.#show(this.#engineLine())
  }

  #isRunning(): boolean {
    return this.#phase === 'running'
  }

  #engineLine(): string {
    return statusLine(statusOf(this.#engine.status()))
  }

  /** An unchanged status is not sent again: it may cost a process each time. */
  #show(line: string): void {
    if (line !== this.#shown) this.#say(line)
  }

  #say(...message: string[]): void {
    this.#shown = message.find((line) => line.startsWith('STATUS=')) ?? this.#shown
    this.#outbox?.put(message)
  }
}

function watch(
  notifier: SystemdNotifier,
  { sendNow }: Transport,
  watchdogMs: number,
  complain: (reason: string) => void,
): void {
  if (!sendNow) {
    complain('WatchdogSec= needs the option `ffi` and a Node that has node:ffi; remove it from the unit')
    return
  }
  const ping = () => {
    try {
      sendNow(['WATCHDOG=1'])
    } catch (error) {
      complain(reasonOf(error))
    }
  }
  notifier.beforeClose(startWatchdog(ping, watchdogMs))
}

/** Each reason once: what is wrong with systemd stays wrong for a while. */
function sayOnce(say: (reason: string) => void): (reason: string) => void {
  const said = new Set<string>()
  return (reason) => {
    if (!said.has(reason)) say(reason)
    said.add(reason)
  }
}

function reasonOf(error: unknown): string {
  const { code, syscall, message, stderr } = error as NodeJS.ErrnoException & { stderr?: string }
  if (code === 'ENOENT' && syscall?.startsWith('spawn')) return 'the program systemd-notify is not installed'
  return stderr?.trim() || message
}
