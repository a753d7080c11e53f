import type { DeliveredBytes } from '../../api/source.js'
import { type PublishTarget, subjectOf } from './publish-target.js'
import { wrap } from './wrapping.js'
import { readWrappingKey } from './wrapping-key.js'

/** Options of {@link wrapForRedis}. */
export interface WrapOptions {
  /** File with 32 random bytes and mode 0600, the same as `unwrapKeyFile` of the source. */
  readonly keyFile: string
  /** The identity, or `{ host }`. */
  readonly target: PublishTarget
  /** The field of the hash, for example `key`. */
  readonly field: string
  /** The value of the field `version`. */
  readonly version: string
  /**
   * The value of the field `revision`.
   * @defaultValue absent
   */
  readonly revision?: number | bigint
}

/**
 * Encrypts a value for a field of a hash: `CSW1`, a nonce of 12 bytes, the ciphertext of AES-256-GCM, its tag of 16 bytes. The
 * associated data is `certswap-1`, `identity` or `host`, its name, version, revision (or nothing) and field, separated by line
 * feeds, so that a writer without the key cannot move a value or combine two versions. {@link publishToRedis} does this for
 * all fields with its option `wrapKeyFile`.
 *
 * @throws SourceError `SOURCE_INVALID` if the key file cannot be used.
 */
export async function wrapForRedis(value: DeliveredBytes, options: WrapOptions): Promise<Buffer> {
  const { keyFile, target, field, version, revision } = options
  const key = await readWrappingKey(keyFile)
  try {
    return wrap(Buffer.from(value as Uint8Array), key, {
      ...{ subject: subjectOf(target), version, field },
      revision: revision === undefined ? '' : String(revision),
    })
  } finally {
    key.fill(0)
  }
}
