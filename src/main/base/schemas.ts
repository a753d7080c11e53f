import { z } from 'zod'

import type { Logger } from './logger.js'

/** Shared parts of option schemas. The checked values are used unchanged, because a copy would lose its prototype. */
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

export const sourceSchema: z.ZodType<object> = z.looseObject({
  name: z.string().regex(/^[\w.-]{1,64}$/, 'expected 1 to 64 letters, digits, dots, dashes and underscores'),
  identity: z.string().max(8192).optional(),
  read: method,
  readHost: method.optional(),
  watch: method.optional(),
  report: method.optional(),
  close: method.optional(),
})

/** The result of a factory of this library, recognized by one of its methods. */
export function returnedBy<T extends object>(factory: string, known: keyof T & string): z.ZodType<T> {
  return z.custom<T>(
    (value) => typeof (value as Partial<T> | null | undefined)?.[known] === 'function',
    `expected the result of ${factory}`,
  )
}
