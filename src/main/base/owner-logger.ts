import type { Logger } from './logger.js'

/** The loggers of engines and drains, for the parts that an application builds around them. */
const loggers = new WeakMap<object, Logger>()

export function noteLogger(owner: object, logger: Logger): void {
  loggers.set(owner, logger)
}

/** The given logger, else that of the first owner with one; `null` if there is none. */
export function loggerOr(given: Logger | undefined, ...owners: readonly unknown[]): Logger | null {
  if (given) return given
  for (const owner of owners) {
    const logger = typeof owner === 'object' && owner !== null ? loggers.get(owner) : undefined
    if (logger) return logger
  }
  return null
}
