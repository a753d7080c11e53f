import { hostname } from 'node:os'
import { resolve } from 'node:path'

import { z } from 'zod'

import { ReloadError } from '../../base/errors.js'
import { refusal, WORDED, withoutUndefined } from '../../base/refusal.js'
import type { RedisClient } from './client.js'
import { DEFAULT_PREFIX } from './keys.js'
import { clientSchema, nameSchema, prefixSchema } from './option-schemas.js'

/** Options of {@link redisSource}. */
export interface RedisSourceOptions {
  /** A client of `redis` or `ioredis`. The source duplicates it and never closes it. */
  readonly client: RedisClient
  /**
   * The identity whose hash `{prefix}identity:{identity}` is served: 1 to 128 printable ASCII characters without spaces. May be
   * absent only with `hosts`, for a source that is used for hosts on demand alone.
   */
  readonly identity?: string
  /**
   * Whether the source answers for hosts on demand, from `{prefix}host:{name}`.
   * @defaultValue `false`
   */
  readonly hosts?: boolean
  /**
   * The beginning of every key.
   * @defaultValue `'certswap:'`
   */
  readonly prefix?: string
  /**
   * The name of this process in reports: 1 to 128 printable ASCII characters without spaces.
   * @defaultValue the host name and the process ID, `web-1:4711`
   */
  readonly replica?: string
  /**
   * Seconds after which the report of a process that has ended disappears; a running one renews it three times as often. 3 to
   * 86400.
   * @defaultValue `60`
   */
  readonly reportTtlSeconds?: number
  /**
   * File with the 32 bytes that open values wrapped by {@link wrapForRedis}; read for each delivery. With it, values that are not
   * wrapped are refused. Refused if other users can read it.
   */
  readonly unwrapKeyFile?: string
}

/** Validated options with all defaults. */
export interface ResolvedRedisOptions {
  readonly client: RedisClient
  readonly identity: string | null
  readonly hosts: boolean
  readonly prefix: string
  readonly replica: string
  readonly reportTtlSeconds: number
  readonly unwrapKeyFile: string | null
}

const schema = z
  .strictObject({
    client: clientSchema,
    identity: nameSchema.optional(),
    hosts: z.boolean().default(false),
    prefix: prefixSchema.default(DEFAULT_PREFIX),
    replica: nameSchema.optional(),
    reportTtlSeconds: z.int().min(3).max(86_400).default(60),
    unwrapKeyFile: z.string().min(1).optional(),
  })
  .refine(({ identity, hosts }) => identity !== undefined || hosts, {
    path: ['identity'],
    message: 'expected a name; only a source with `hosts: true` may have none',
  })

/** @throws ReloadError `OPTIONS_INVALID`, whose message names every refused option. */
export function resolveRedisOptions(input: RedisSourceOptions): ResolvedRedisOptions {
  const parsed = schema.safeParse(withoutUndefined(Object(input)), WORDED)
  if (!parsed.success) {
    throw new ReloadError('OPTIONS_INVALID', `redisSource: ${refusal(parsed.error.issues, input)}`)
  }
  const { identity = null, replica, unwrapKeyFile, ...rest } = parsed.data
  return {
    ...rest,
    client: input.client,
    identity,
    replica:
      replica ??
      `${hostname()
        .replace(/[^!-~]/g, '')
        .slice(0, 100)}:${process.pid}`,
    unwrapKeyFile: unwrapKeyFile === undefined ? null : resolve(unwrapKeyFile),
  }
}
