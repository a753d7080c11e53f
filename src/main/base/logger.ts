import type { pino as Pino } from 'pino'

import { printable } from '../../workers/base/printable.js'
import { ReloadError } from './errors.js'
import { logOutput } from './log-output.js'
import { MATERIAL_ROWS } from './material-options.js'
import { callUserCode, reportUserCode } from './user-code.js'

/**
 * The required methods of a logger; a pino logger and `console` fit. Each call passes the fields, then a constant message. If
 * a method throws or rejects, only that line is lost. A method that blocks delays the event loop: give pino a destination
 * that does not block (docs/options.md).
 */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Options of certswap's default logger. */
export interface OwnLoggerOptions {
  /** The field `name` of each line. */
  readonly name?: string
  /** A level of pino. @defaultValue `'info'` */
  readonly level?: string
}

/**
 * The user's logger, or pino at `info`, which is loaded only if needed. Its methods never throw.
 *
 * @throws ReloadError `LOGGER_UNAVAILABLE`
 */
export async function resolveLogger(given: Logger | null): Promise<Logger> {
  return given ? guarded(given) : await createLogger({ name: 'certswap' })
}

/**
 * A pino logger to standard output that does not wait for a slow reader.
 *
 * @throws ReloadError `LOGGER_UNAVAILABLE`
 */
export async function createLogger(options: OwnLoggerOptions): Promise<Logger> {
  const pino = await loadPino()
  const output = logOutput()
  const logger: Logger = pino({ ...options, ...PINO_OPTIONS }, output)
  output.onRecovered = ({ count, forMs, code }) =>
    logger.warn(
      { dropped: count, forMs, code },
      'log lines were dropped because the log could not be written',
    )
  return guarded(logger)
}

/** In bundles, pino or one of its dependencies can be missing. */
async function loadPino(): Promise<typeof Pino> {
  try {
    const loaded: PinoModule = await import('pino')
    // Some bundlers create no named exports for a CommonJS package.
    return loaded.pino ?? loaded.default
  } catch (error) {
    throw loggerUnavailable(error as Error)
  }
}

/** @internal */
export function loggerUnavailable(cause: Error): ReloadError {
  const message = `the default logger, pino, cannot be loaded (${cause.message}); set the option \`logger\`, or see docs/bundlers.md`
  return new ReloadError('LOGGER_UNAVAILABLE', message, { cause })
}

interface PinoModule {
  readonly pino?: typeof Pino
  readonly default: typeof Pino
}

/** As {@link resolveLogger}, but synchronous: pino is loaded at the first call, and the calls keep their order. */
export function deferredLogger(given: Logger | null): Logger {
  if (given) return guarded(given)
  let loading: Promise<Logger> | null = null
  const log = (level: keyof Logger) => (fields: object, message: string) => {
    loading ??= resolveLogger(null)
    loading.then(
      (logger) => logger[level](fields, message),
      // No other log is available.
      (error: unknown) => reportUserCode('logger', 'the default logger', error, () => {}),
    )
  }
  return byLevel(log)
}

const guards = new WeakMap<Logger, Logger>()
const guarding = new WeakSet<Logger>()

/** A logger whose methods never throw, even if the application's logger does. */
function guarded(given: Logger): Logger {
  if (guarding.has(given)) return given
  const known = guards.get(given)
  if (known) return known
  const guard = byLevel((level) => (fields, message) => {
    // Read at each call, because pino replaces its methods when the level changes.
    callUserCode('logger', 'the logger', () => given[level](fields, message))
  })
  guards.set(given, guard)
  guarding.add(guard)
  return guard
}

type LogMethod = (fields: object, message: string) => void

function byLevel(method: (level: keyof Logger) => LogMethod): Logger {
  return { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') }
}

/** certswap never logs such fields. Redaction guards against fields that are added by mistake. */
const SECRETS = MATERIAL_ROWS.filter(({ redacted }) => redacted).map(({ name }) => name)
const SECRET_FIELDS: string[] = [...SECRETS, ...SECRETS.map((name) => `*.${name}`)]

/**
 * Options of every pino logger of certswap. JSON escapes only the C0 control characters; C1 control characters and marks that
 * change the text direction must not reach a terminal either.
 */
const PINO_OPTIONS: { redact: string[]; hooks: { streamWrite: (line: string) => string } } = {
  redact: SECRET_FIELDS,
  hooks: { streamWrite: (line) => `${printable(line.trimEnd())}\n` },
}
