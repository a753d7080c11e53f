import { deferredLogger, type Logger } from '../observe/logger.js'
import { reportUserCode } from '../user-code.js'
import type { DrainResult } from './farewell.js'
import type { Drain } from './handle.js'
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
   * A pino logger, or the four methods of one.
   * @defaultValue pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

/** After a second signal the process ends within this time, in milliseconds, whatever still runs. */
const LAST_RESORT_MS = 400

/**
 * Lets signals rule the process: SIGHUP reloads the certificates (where there is an engine), the first SIGINT or SIGTERM
 * starts the drain for good, the second of either kind forces it. At the end of the drain, whoever started it, the
 * process exits: 0 when it drained, 1 when it was forced. SIGHUP is refused once the listeners are closed. A notifier of
 * `certswap/systemd` in the place of the engine is told that the process stops, and asks for the time that it takes.
 *
 * @returns a function that takes it all back: a signal does what it did before, and no drain ends the process.
 */
export function handleSignals(drain: Drain, engine?: Reloadable, options: SignalOptions = {}): () => void {
  const { onDrained = () => {}, exit = process.exit } = options
  const logger = deferredLogger(options.logger ?? null)
  const final = new FinalDrain(drain, engine)
  let signals = 0
  let released = false

  const stop = (signal: NodeJS.Signals) => {
    signals++
    if (signals > 1) return forceOut(signal)
    logger.info({ signal }, 'draining on a signal; another one forces')
    final.begin()
    // Init systems do not take a stop back.
    drain.start({ reason: signal, cancellable: false })
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
    final.release()
  }
}
