import type { pino as Pino } from 'pino'

import { printable } from '../control/escape.js'
import { ReloadError } from '../errors.js'

/** What certswap needs of a logger; pino's fits. A call has fields first and a constant message second. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/**
 * The user's logger, or pino at `info` (loaded only when it is wanted).
 *
 * @throws ReloadError `LOGGER_UNAVAILABLE`
 */
export async function resolveLogger(given: Logger | null): Promise<Logger> {
  if (given) return given
  const pino = await loadPino()
  const logger: Logger = pino({ name: 'certswap', ...PINO_OPTIONS })
  return logger
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
  if (given) return given
  let loading: Promise<Logger> | null = null
  const say = (level: keyof Logger) => (fields: object, message: string) => {
    loading ??= resolveLogger(null)
    loading.then(
      (logger) => logger[level](fields, message),
      () => {}, // Without a logger there is nobody to be told.
    )
  }
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
}

/** Nothing of the kind is ever logged; this holds even where somebody adds a field. */
const SECRET_FIELDS: string[] = ['key', 'passphrase', 'pfx', '*.key', '*.passphrase', '*.pfx']

/**
 * What every logger of ours has. JSON escapes only the first of the two sets of control characters: a line that a
 * terminal shows must not hold one of the second, or a mark that turns the direction of writing.
 */
export const PINO_OPTIONS: { redact: string[]; hooks: { streamWrite: (line: string) => string } } = {
  redact: SECRET_FIELDS,
  hooks: { streamWrite: (line) => `${printable(line.trimEnd())}\n` },
}
