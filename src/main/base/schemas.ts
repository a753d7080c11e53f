import { z } from 'zod'

import type { Logger } from './logger.js'

/** Parts of the schemas of options. What they check is used as it was given: a copy would lose what its class gives it. */
export const method: z.ZodType<() => never> = z.custom<() => never>(
  (value) => typeof value === 'function',
  'expected a function',
)

export const loggerSchema: z.ZodType<Logger> = z.looseObject({
  debug: method,
  info: method,
  warn: method,
  error: method,
})

/** An object that a function of this library has returned, known by one of its methods. */
export function returnedBy<T extends object>(factory: string, known: keyof T & string): z.ZodType<T> {
  return z.custom<T>(
    (value) => typeof (value as Partial<T> | null | undefined)?.[known] === 'function',
    `expected the result of ${factory}`,
  )
}
