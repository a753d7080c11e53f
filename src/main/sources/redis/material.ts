import { type DeliveredPair, type Delivery, SourceError } from '../../api/source.js'
import type { Subject } from './keys.js'
import type { Fields } from './replies.js'
import { isWrapped, unwrap } from './wrapping.js'

/** The content of a hash. */
export type Material =
  | { readonly kind: 'material'; readonly delivery: Delivery; readonly secrets: readonly Buffer[] }
  | { readonly kind: 'withdrawn'; readonly revision: bigint | null }

/** Endings of the fields of further pairs, for different types of key. */
const PAIR_ENDINGS = ['', '.2', '.3', '.4']

/** The same limits as for files: `worker.maxFileBytes`, and 16 MiB for trust anchors and lists. */
const MAX_PAIR_BYTES = 1024 * 1024
const MAX_TRUST_BYTES = 16 * 1024 * 1024
const MAX_REVISION = 2n ** 63n

/**
 * The material of a hash.
 *
 * @param key - unwraps the values; without it they are used as they are.
 * @throws SourceError `SOURCE_INVALID`, which names the field.
 */
export function materialOf(fields: Fields, subject: Subject, key: Buffer | null): Material {
  const version = textOf(fields, subject, 'version')
  if (version === undefined) throw refused(subject, 'has no field `version`; publish it with its version')
  if (!/^[\x20-\x7e]{1,256}$/.test(version)) {
    throw refused(subject, 'has a `version` that is not 1 to 256 printable ASCII characters')
  }
  const revision = textOf(fields, subject, 'revision')
  if (revision !== undefined && !(/^\d{1,19}$/.test(revision) && BigInt(revision) < MAX_REVISION)) {
    throw refused(subject, 'has a `revision` that is not a whole number from 0 to 2^63-1')
  }
  const fieldValue = (field: string, maxBytes: number): Buffer | undefined => {
    const value = fields.get(field)
    if (value === undefined) return undefined
    if (value.length > maxBytes)
      throw refused(
        subject,
        `has a field \`${field}\` of ${value.length} bytes; at most ${maxBytes} are accepted`,
      )
    if (key) return unwrap(value, key, { subject, version, revision: revision ?? '', field })
    if (isWrapped(value)) throw refused(subject, `has a wrapped field \`${field}\`; set \`unwrapKeyFile\``)
    return value
  }

  if (fieldValue('withdrawn', MAX_PAIR_BYTES))
    return { kind: 'withdrawn', revision: revision === undefined ? null : BigInt(revision) }
  const secrets: Buffer[] = []
  const pairs = PAIR_ENDINGS.flatMap((ending) =>
    pairOf(ending, (field) => fieldValue(field, MAX_PAIR_BYTES), subject, secrets),
  )
  if (pairs.length === 0)
    throw refused(subject, 'has neither `cert` and `key` nor `bundle`; publish both parts')
  const ca = fieldValue('ca', MAX_TRUST_BYTES)
  const crl = fieldValue('crl', MAX_TRUST_BYTES)
  const delivery: Delivery = {
    version,
    ...(revision === undefined ? {} : { revision: BigInt(revision) }),
    pairs,
    // An empty field states that there is none (any more).
    ...(ca ? { ca: ca.length > 0 ? [ca] : [] } : {}),
    ...(crl ? { crl: crl.length > 0 ? [crl] : [] } : {}),
  }
  return { kind: 'material', delivery, secrets }
}

function pairOf(
  ending: string,
  fieldValue: (field: string) => Buffer | undefined,
  subject: Subject,
  secrets: Buffer[],
): DeliveredPair[] {
  const [bundle, cert, key] = [`bundle${ending}`, `cert${ending}`, `key${ending}`].map(fieldValue)
  if (bundle) {
    secrets.push(bundle)
    if (cert || key)
      throw refused(
        subject,
        `has \`bundle${ending}\` and also \`cert${ending}\` or \`key${ending}\`; remove one`,
      )
    return [{ bundle }]
  }
  if (key) secrets.push(key)
  if (!cert && !key) return []
  if (!cert)
    throw refused(subject, `has \`key${ending}\` and no \`cert${ending}\`; publish both in one command`)
  if (!key)
    throw refused(subject, `has \`cert${ending}\` and no \`key${ending}\`; publish both in one command`)
  return [{ cert, key }]
}

function textOf(fields: Fields, subject: Subject, field: string): string | undefined {
  const value = fields.get(field)
  if (value !== undefined && value.length > 256)
    throw refused(subject, `has a \`${field}\` of ${value.length} bytes; at most 256 are accepted`)
  return value?.toString('latin1')
}

function refused({ kind, name }: Subject, flaw: string): SourceError {
  return new SourceError('SOURCE_INVALID', `the ${kind} ${name} in Redis ${flaw}`)
}
