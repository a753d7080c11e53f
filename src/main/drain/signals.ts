import { deferredLogger, type Logger } from '../base/logger.js'
import { reportUserCode } from '../base/user-code.js'
import { DrainError } from './errors.js'
import type { DrainResult } from './farewell.js'
import type { Drain } from './handle.js'
import { OwnSignals } from './own-signals.js'
import { FinalDrain, type ServiceManager } from './service-manager.js'

/** What of a reload engine, or of the notifier of `certswap/systemd`, signals need. */
export interface Reloadable extends Partial<ServiceManager> {
  reload(options: { readonly trigger: 'signal' }): Promise<unknown>
}

/** Options of {@link handleSignals}. */
export interface SignalOptions {
  /**
   * Called at the end of the drain, before the process exits: close databases here. What it throws makes the exit code 1.
   */
  readonly onDrained?: (result: DrainResult) => unknown
  /**
   * Ends the process, with 0 after `drained` and 1 after `forced`.
   * @defaultValue `process.exit`
   */
  readonly exit?: (code: 0 | 1) => void
  /**
   * A further SIGINT or SIGTERM forces the drain when it comes more than this many milliseconds after the first. One that
   * comes earlier is the same stop, said twice: a terminal or a service manager signals a whole process group while a
   * runner in it passes the signal on too. `0` lets every further signal force.
   * @defaultValue `500`
   */
  readonly forceAfterMs?: number
  /**
   * A pino logger, or the four methods of one.
   * @defaultValue pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

/** After a second signal the process ends within this time, in milliseconds, whatever still runs. */
const LAST_RESORT_MS = 400

/** A runner passes a signal on within milliseconds; a person who wants to force can press Ctrl-C again. */
const FORCE_AFTER_MS = 500

/**
 * Handles the signals of the process: SIGHUP reloads the certificates (where there is an engine), the first SIGINT or
 * SIGTERM starts the drain for good, and a further one of either kind forces it, once `forceAfterMs` have passed. A signal
 * that the process sends to itself never forces: NestJS does that after its shutdown hooks. At the end of the drain, by
 * whatever it was started, the process exits: 0 when it drained, 1 when it was forced. SIGHUP is refused once the
 * listeners are closed. A notifier of `certswap/systemd` in the place of the engine reports to systemd that the process
 * stops, and asks for the time that it takes.
 *
 * @returns a function that undoes it: a signal does what it did before, and no drain ends the process.
 * @throws DrainError `OPTIONS_INVALID`
 */
export function handleSignals(drain: Drain, engine?: Reloadable, options: SignalOptions = {}): () => void {
  const { onDrained = () => {}, exit = process.exit, forceAfterMs = FORCE_AFTER_MS } = options
  if (typeof forceAfterMs !== 'number' || !(forceAfterMs >= 0))
    throw new DrainError('OPTIONS_INVALID', `handleSignals: ${FORCE_AFTER_EXPECTED}, got ${forceAfterMs}`)
  const logger = deferredLogger(options.logger ?? null)
  const final = new FinalDrain(drain, engine)
  const own = new OwnSignals()
  let firstAtMs: number | null = null
  let released = false

  const stop = (signal: NodeJS.Signals) => {
    const ownSignal = own.take(signal)
    if (firstAtMs !== null) return stopAgain(signal, ownSignal, performance.now() - firstAtMs)
    firstAtMs = performance.now()
    logger.info({ signal, forceAfterMs }, 'draining on a signal; another one forces')
    final.begin()
    // Init systems do not take a stop back.
    drain.start({ reason: signal, cancellable: false })
  }
  const stopAgain = (signal: NodeJS.Signals, ownSignal: boolean, afterMs: number) => {
    if (ownSignal) logger.info({ signal }, 'the process sent the signal to itself again; the drain goes on')
    else if (afterMs < forceAfterMs)
      logger.info({ signal, afterMs }, 'the same stop was signalled twice; the drain goes on')
    else forceOut(signal)
  }
  const forceOut = (signal: NodeJS.Signals) => {
    logger.warn({ signal }, 'forced by a second signal')
    setTimeout(exit, LAST_RESORT_MS, 1)
    drain.force()
  }
  const reload = () => {
    if (drain.state !== 'running' && drain.state !== 'lame-duck') {
      logger.warn({ state: drain.state }, 'reload refused: no connection will be accepted any more')
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

  // A drain that is closed has no end to exit at.
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
