import { type Delivery, SourceError } from '../../api/source.js'
import type { Wiping } from '../wiping.js'
import type { Argument } from './client.js'
import type { Keys, Subject } from './keys.js'
import { materialOf } from './material.js'
import { fieldsOf } from './replies.js'
import { readWrappingKey } from './wrapping-key.js'

/** What the store says of an identity or a host. */
export type Finding =
  | { readonly kind: 'delivery'; readonly delivery: Delivery }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'withdrawn'; readonly revision: bigint | null }
  /** There is no hash, in a store that is not empty. */
  | { readonly kind: 'missing' }

export interface HashesOptions {
  readonly keys: Keys
  readonly unwrapKeyFile: string | null
  readonly wiping: Wiping
  readonly send: (args: readonly Argument[], signal: AbortSignal) => Promise<unknown>
}

/** Reads the hash of an identity or a host. @throws SourceError */
export type ReadHash = (subject: Subject, version: string | null, signal: AbortSignal) => Promise<Finding>

export function createReadHash({ keys, unwrapKeyFile, wiping, send }: HashesOptions): ReadHash {
  return async (subject, version, signal) => {
    const key = keys.of(subject)
    const fields = fieldsOf(await send(['HGETALL', key], signal), key)
    if (fields.size === 0) {
      if (Number(await send(['EXISTS', keys.store], signal)) === 1) return { kind: 'missing' }
      throw empty(keys)
    }
    const material = materialOf(
      fields,
      subject,
      unwrapKeyFile === null ? null : await readWrappingKey(unwrapKeyFile),
    )
    if (material.kind === 'withdrawn') return material
    const { delivery, secrets } = material
    if (delivery.version === version) {
      wiping.now(secrets)
      return { kind: 'unchanged' }
    }
    wiping.later(secrets)
    return { kind: 'delivery', delivery }
  }
}

function empty({ store }: Keys): SourceError {
  return new SourceError(
    'SOURCE_UNREACHABLE',
    `the Redis database is empty: it has no key ${store}; publish the material again, or correct \`prefix\` or the number of the database`,
  )
}
