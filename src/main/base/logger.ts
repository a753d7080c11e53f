import type { pino as Pino } from 'pino'

import { printable } from '../../workers/base/printable.js'
import { ReloadError } from './errors.js'
import { logOutput } from './log-output.js'
import { MATERIAL_ROWS } from './material-options.js'
import { callUserCode, reportUserCode } from './user-code.js'

/**
 * What certswap needs of a logger; pino's fits, and so does `console`. A call has fields first and a constant message
 * second. A method that throws or rejects affects nothing but its line. One that blocks holds the event loop: give pino a
 * destination that does not (docs/options.md).
 */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** How a logger of certswap's own differs from the default. */
export interface OwnLoggerOptions {
  /** The field `name` of each line. */
  readonly name?: string
  /** As pino has it. @defaultValue `'info'` */
  readonly level?: string
}

/**
 * The user's logger, or pino at `info` (loaded only when it is wanted). Its methods never throw.
 *
 * @throws ReloadError `LOGGER_UNAVAILABLE`
 */
export async function resolveLogger(given: Logger | null): Promise<Logger> {
  return given ? guarded(given) : await createLogger({ name: 'certswap' })
}

/**
 * pino, to standard output, without a wait for a reader that does not read.
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

/** In bundles it can be missing, or without what it needs. */
async function loadPino(): Promise<typeof Pino> {
  try {
    const loaded: PinoModule = await import('pino')
    // Some bundlers give a CommonJS package no names.
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

/** The same for those who cannot wait for it: pino is loaded at the first call, and the calls keep their order. */
export function deferredLogger(given: Logger | null): Logger {
  if (given) return guarded(given)
  let loading: Promise<Logger> | null = null
  const log = (level: keyof Logger) => (fields: object, message: string) => {
    loading ??= resolveLogger(null)
    loading.then(
      (logger) => logger[level](fields, message),
      // There is no other log.
      (error: unknown) => reportUserCode('logger', 'the default logger', error, () => {}),
    )
  }
  return byLevel(log)
}

const guards = new WeakMap<Logger, Logger>()
const guarding = new WeakSet<Logger>()

/** A logger whose methods never throw, whatever those of the application do: a getter, a child or a stream may fail. */
function guarded(given: Logger): Logger {
  if (guarding.has(given)) return given
  const known = guards.get(given)
  if (known) return known
  const guard = byLevel((level) => (fields, message) => {
    // Looked up for each call: pino replaces its methods when the level changes.
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

/** Nothing of the kind is ever logged; this holds even where somebody adds a field. */
const SECRETS = MATERIAL_ROWS.filter(({ redacted }) => redacted).map(({ name }) => name)
const SECRET_FIELDS: string[] = [...SECRETS, ...SECRETS.map((name) => `*.${name}`)]

/**
 * What every logger of certswap's own has. JSON escapes only the first of the two sets of control characters: a line that a
 * terminal shows must not hold one of the second, or a mark that changes the direction of writing.
 */
const PINO_OPTIONS: { redact: string[]; hooks: { streamWrite: (line: string) => string } } = {
  redact: SECRET_FIELDS,
  hooks: { streamWrite: (line) => `${printable(line.trimEnd())}\n` },
}
