import { deferredLogger, type Logger } from '../base/logger.js'
import { loggerOr } from '../base/owner-logger.js'
import { reportUserCode } from '../base/user-code.js'
import type { DrainResult } from './active-drain.js'
import { DrainError } from './errors.js'
import type { Drain } from './handle.js'
import { OwnSignals } from './own-signals.js'
import { FinalDrain, type ServiceManager } from './service-manager.js'

/** The part of a reload engine, or of the notifier of `certswap/systemd`, that {@link handleSignals} uses. */
export interface Reloadable extends Partial<ServiceManager> {
  reload(options: { readonly trigger: 'signal' }): Promise<unknown>
}

/** Options of {@link handleSignals}. */
export interface SignalOptions {
  /**
   * Called at the end of the drain, before the process exits: close databases here. If it throws, the exit code is 1.
   */
  readonly onDrained?: (result: DrainResult) => unknown
  /**
   * Ends the process, with 0 after `drained` and 1 after `forced`.
   * @defaultValue `process.exit`
   */
  readonly exit?: (code: 0 | 1) => void
  /**
   * Milliseconds after the first SIGINT or SIGTERM from which on a further one forces the drain. An earlier one counts as a
   * duplicate: a terminal or a service manager signals the whole process group, and a runner in it forwards the signal
   * too. With `0`, every further signal forces.
   * @defaultValue `500`
   */
  readonly forceAfterMs?: number
  /**
   * A pino logger, or an object with its methods `debug`, `info`, `warn` and `error`.
   * @defaultValue that of the drain
   */
  readonly logger?: Logger
}

/** Milliseconds after which a forced process exits, even if the drain has not ended. */
const LAST_RESORT_MS = 400

/** A runner forwards a signal within milliseconds; a user can press Ctrl-C again later. */
const FORCE_AFTER_MS = 500

/**
 * Handles the signals of the process. SIGHUP reloads the certificates, if there is an engine; it is refused once the
 * listeners are closed. The first SIGINT or SIGTERM starts a drain that cannot be cancelled; a further one of either kind
 * forces it, once `forceAfterMs` have passed. A signal that the process sends to itself, as NestJS does after its shutdown
 * hooks, never forces. At the end of the drain, however it was started, the process exits: with 0 after `drained`, with 1
 * after `forced`. If `engine` is a notifier of `certswap/systemd`, it reports to systemd that the process is stopping, and
 * requests the time that the drain needs.
 *
 * @returns a function that removes the handlers; the end of a drain then no longer ends the process.
 * @throws DrainError `OPTIONS_INVALID`
 */
export function handleSignals(drain: Drain, engine?: Reloadable, options: SignalOptions = {}): () => void {
  const { onDrained = () => {}, exit = process.exit, forceAfterMs = FORCE_AFTER_MS } = options
  if (typeof forceAfterMs !== 'number' || !(forceAfterMs >= 0))
    throw new DrainError('OPTIONS_INVALID', `handleSignals: ${FORCE_AFTER_EXPECTED}, got ${forceAfterMs}`)
  const logger = deferredLogger(loggerOr(options.logger, drain, engine))
  const final = new FinalDrain(drain, engine)
  const own = new OwnSignals()
  let firstAtMs: number | null = null
  let released = false

  const stop = (signal: NodeJS.Signals) => {
    const ownSignal = own.take(signal)
    if (firstAtMs !== null) return stopAgain(signal, ownSignal, performance.now() - firstAtMs)
    firstAtMs = performance.now()
    logger.info({ signal, forceAfterMs }, 'draining after a signal; a further signal forces the drain')
    final.begin()
    // A service manager never cancels a stop.
    drain.start({ reason: signal, cancellable: false })
  }
  const stopAgain = (signal: NodeJS.Signals, ownSignal: boolean, afterMs: number) => {
    if (ownSignal) logger.info({ signal }, 'signal from the process itself ignored; the drain continues')
    else if (afterMs < forceAfterMs)
      logger.info({ signal, afterMs }, 'duplicate signal ignored; the drain continues')
    else forceOut(signal)
  }
  const forceOut = (signal: NodeJS.Signals) => {
    logger.warn({ signal }, 'drain forced by a further signal')
    setTimeout(exit, LAST_RESORT_MS, 1)
    drain.force()
  }
  const reload = () => {
    if (drain.state !== 'running' && drain.state !== 'lame-duck') {
      logger.warn({ state: drain.state }, 'reload refused: the listeners are closed')
      return
    }
    engine
      ?.reload({ trigger: 'signal' })
      .catch((error: unknown) => logger.error({ err: error }, 'reload on SIGHUP failed'))
  }
  const finish = async (result: DrainResult) => {
    if (released) return
    let code: 0 | 1 = result.outcome === 'drained' ? 0 : 1
    try {
      await onDrained(result)
    } catch (error) {
      const log = () => logger.error({ err: error }, 'onDrained failed')
      reportUserCode('hook', 'the hook onDrained', error, log)
      code = 1
    }
    exit(code)
  }

  // Rejects if the drain is closed before its end; the process then does not exit.
  drain.complete().then(finish, () => {})
  process.on('SIGINT', stop).on('SIGTERM', stop)
  if (engine) process.on('SIGHUP', reload)
  return () => {
    released = true
    process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', reload)
    own.release()
    final.release()
  }
}

const FORCE_AFTER_EXPECTED = 'expected `forceAfterMs` to be a number of milliseconds from 0'
