/** What certswap needs of a logger; pino's fits. A call has fields first and a constant message second. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** The user's logger, or pino at `info` (loaded only when it is wanted). */
export async function resolveLogger(given: Logger | null): Promise<Logger> {
  if (given) return given
  const { pino } = await import('pino')
  const logger: Logger = pino({ name: 'certswap', redact: SECRET_FIELDS })
  return logger
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
export const SECRET_FIELDS: string[] = ['key', 'passphrase', 'pfx', '*.key', '*.passphrase', '*.pfx']
