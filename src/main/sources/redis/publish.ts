import { randomBytes } from 'node:crypto'

import { z } from 'zod'

import { type DeliveredBytes, type DeliveredPair, SourceError } from '../../api/source.js'
import { systemClock } from '../../base/clock.js'
import { ReloadError } from '../../base/errors.js'
import { refusal, WORDED, withoutUndefined } from '../../base/refusal.js'
import type { Argument, RedisClient } from './client.js'
import { type Connection, connect } from './connection.js'
import { DEFAULT_PREFIX, keysBelow, type Subject } from './keys.js'
import { clientSchema, prefixSchema } from './option-schemas.js'
import { type PublishTarget, subjectOf } from './publish-target.js'
import { redisFailure } from './redis-failure.js'
import { withTimeLimit } from './time-limit.js'
import { wrap } from './wrapping.js'
import { readWrappingKey } from './wrapping-key.js'

/** The argument of {@link publishToRedis}: a certificate chain (leaf first) and its key, in PEM or DER. */
export type PublishedMaterial = DeliveredPair & {
  /** Up to three further pairs with other types of key; not for hosts. */
  readonly alternates?: readonly DeliveredPair[]
  /** Trust anchors for client certificates; not for hosts. */
  readonly ca?: DeliveredBytes
  /** Revocation lists; not for hosts. */
  readonly crl?: DeliveredBytes
  /**
   * 1 to 256 printable ASCII characters that no other material of this name has had.
   * @defaultValue the time and random digits, `20261130T202456Z-1f3a9c`
   */
  readonly version?: string
  /**
   * Higher than the previous one: replicas refuse a lower one.
   * @defaultValue the time in milliseconds, or the previous one plus 1 if that is higher
   */
  readonly revision?: number | bigint
}

/** Options of {@link publishToRedis} and {@link withdrawFromRedis}. */
export interface PublishOptions {
  /** @defaultValue `'certswap:'` */
  readonly prefix?: string
  /** Wraps every value with the key of this file, see {@link wrapForRedis}. */
  readonly wrapKeyFile?: string
  /**
   * Seconds until the call fails with `SOURCE_TIMEOUT`; the material may have been published nevertheless. 1 to 600.
   * @defaultValue `10`
   */
  readonly timeoutSeconds?: number
}

/** What was published. */
export interface Published {
  readonly version: string
  readonly revision: bigint
}

const schema = z.strictObject({
  client: clientSchema,
  prefix: prefixSchema.default(DEFAULT_PREFIX),
  wrapKeyFile: z.string().min(1).optional(),
  timeoutSeconds: z.number().min(1).max(600).default(10),
})

/** About a day of changes in a large fleet; a source that has missed more reads everything again. */
const STREAM_LENGTH = '10000'
const ATTEMPTS = 5

/**
 * Replaces the material of an identity, or of `{ host }`, and notifies every replica, in one transaction. Opens a connection with
 * the options of the client, and closes it.
 *
 * @throws SourceError; ReloadError `OPTIONS_INVALID`. Neither contains a byte of the material.
 */
export async function publishToRedis(
  client: RedisClient,
  target: PublishTarget,
  material: PublishedMaterial,
  options: PublishOptions = {},
): Promise<Published> {
  return await write(client, target, valuesOf(material), material, options)
}

/**
 * States that an identity, or `{ host }`, no longer exists. A host on demand is removed; for an identity, engines keep the
 * certificate in service and report `SOURCE_WITHDRAWN`. The hash stays, because a missing one would be an error.
 *
 * @throws SourceError; ReloadError `OPTIONS_INVALID`
 */
export async function withdrawFromRedis(
  client: RedisClient,
  target: PublishTarget,
  options: PublishOptions = {},
): Promise<Published> {
  return await write(client, target, new Map([['withdrawn', '1']]), {}, options)
}

type Values = ReadonlyMap<string, DeliveredBytes>

async function write(
  client: RedisClient,
  target: PublishTarget,
  values: Values,
  { version, revision }: Pick<PublishedMaterial, 'version' | 'revision'>,
  options: PublishOptions,
): Promise<Published> {
  const subject = subjectOf(target)
  const parsed = schema.safeParse(withoutUndefined({ ...options, client }), WORDED)
  if (!parsed.success) {
    throw new ReloadError(
      'OPTIONS_INVALID',
      `certswap/redis: ${refusal(parsed.error.issues, { ...options, client })}`,
    )
  }
  const { prefix, wrapKeyFile, timeoutSeconds } = parsed.data
  const key = wrapKeyFile === undefined ? null : await readWrappingKey(wrapKeyFile)
  const keys = keysBelow(prefix)
  const hash = keys.of(subject)
  return await withTimeLimit(
    systemClock,
    timeoutSeconds * 1000,
    new AbortController().signal,
    async (signal) => {
      const connection = await connect(client, signal)
      try {
        for (let attempt = 1; ; attempt++) {
          await connection.command(['WATCH', hash], signal)
          const published = await nextOf(connection, hash, version, revision, signal)
          const fields = fieldsFor(values, subject, published, key)
          const event = [subject.kind, subject.name, 'version', published.version]
          const commands: Argument[][] = [
            ['MULTI'],
            ['DEL', hash],
            ['HSET', hash, ...fields],
            ['SET', keys.store, new Date().toISOString(), 'NX'],
            ['XADD', keys.changes, 'MAXLEN', '~', STREAM_LENGTH, '*', ...event],
            ['EXEC'],
          ]
          const replies = await Promise.all(commands.map((command) => connection.command(command, signal)))
          const results = replies.at(-1)
          // Another writer was faster.
          if (results === null && attempt < ATTEMPTS) continue
          assertDone(results)
          return published
        }
      } finally {
        connection.end()
        key?.fill(0)
      }
    },
  )
}

/** Version and revision of the next material. */
async function nextOf(
  connection: Connection,
  hash: string,
  version: string | undefined,
  revision: number | bigint | undefined,
  signal: AbortSignal,
): Promise<Published> {
  const now = Date.now()
  const previous = await connection.command(['HGET', hash, 'revision'], signal)
  const known = /^\d{1,19}$/.exec(String(previous))
  const following = known ? BigInt(known[0]) + 1n : 0n
  const time = BigInt(now) > following ? BigInt(now) : following
  const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')
  return {
    version: version ?? `${stamp}-${randomBytes(3).toString('hex')}`,
    revision: revision === undefined ? time : BigInt(revision),
  }
}

function fieldsFor(
  values: Values,
  subject: Subject,
  { version, revision }: Published,
  key: Buffer | null,
): Argument[] {
  const fields: Argument[] = ['version', version, 'revision', String(revision)]
  for (const [field, value] of values) {
    const bytes = Buffer.from(value as Uint8Array)
    fields.push(
      field,
      key ? wrap(bytes, key, { subject, version, revision: String(revision), field }) : bytes,
    )
  }
  return fields
}

function valuesOf(material: PublishedMaterial): Values {
  const values = new Map<string, DeliveredBytes>()
  const { alternates = [], ca, crl } = material
  for (const [index, pair] of [material, ...alternates].entries()) {
    const ending = index === 0 ? '' : `.${index + 1}`
    if (pair.bundle === undefined) values.set(`cert${ending}`, pair.cert).set(`key${ending}`, pair.key)
    else values.set(`bundle${ending}`, pair.bundle)
  }
  if (ca !== undefined) values.set('ca', ca)
  if (crl !== undefined) values.set('crl', crl)
  return values
}

function assertDone(results: unknown): void {
  if (!Array.isArray(results)) {
    throw new SourceError(
      'SOURCE_UNREACHABLE',
      'Redis: other writers changed the same hash at the same time; publish again',
    )
  }
  const failed = results.find((result) => result instanceof Error)
  if (failed) throw redisFailure(failed)
}
