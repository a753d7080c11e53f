import { z } from 'zod'

import { clientFlaw, type RedisClient } from './client.js'

/* Parts of option schemas. Apart, because declarations that users see must not name zod. */

/** A name that is a part of a key and of a line in a terminal. */
export const nameSchema: z.ZodType<string> = z
  .string()
  .regex(/^[!-~]{1,128}$/, 'expected 1 to 128 printable ASCII characters without spaces')

export const prefixSchema: z.ZodType<string> = z
  .string()
  .regex(/^[!-~]{0,128}$/, 'expected at most 128 printable ASCII characters without spaces')

export const clientSchema: z.ZodType<RedisClient> = z.custom<RedisClient>(
  (value) => clientFlaw(value) === null,
  { error: ({ input }) => clientFlaw(input) ?? '' },
)
