import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

import { SourceError } from '../../api/source.js'
import type { Subject } from './keys.js'

const MAGIC = Buffer.from('CSW1')
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** What a wrapped value belongs to: a value that is moved or kept from an earlier version does not open. */
export interface Place {
  readonly subject: Subject
  readonly version: string
  /** Empty if the hash has none. */
  readonly revision: string
  readonly field: string
}

/** Encrypts a value: `CSW1`, a random nonce of 12 bytes, the ciphertext of AES-256-GCM, its tag of 16 bytes. */
export function wrap(value: Uint8Array, key: Uint8Array, place: Place): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(associated(place))
  return Buffer.concat([MAGIC, nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()])
}

/** Decrypts a value. @throws SourceError `SOURCE_INVALID` if it was not wrapped with this key for this place. */
export function unwrap(value: Buffer, key: Uint8Array, place: Place): Buffer {
  if (!isWrapped(value)) {
    throw new SourceError(
      'SOURCE_INVALID',
      `${named(place)} is not wrapped, but \`unwrapKeyFile\` is set; wrap it`,
    )
  }
  try {
    const nonce = value.subarray(MAGIC.length, MAGIC.length + NONCE_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(associated(place))
    decipher.setAuthTag(value.subarray(-TAG_BYTES))
    const ciphertext = value.subarray(MAGIC.length + NONCE_BYTES, -TAG_BYTES)
    return Buffer.concat([decipher.update(ciphertext), decipher.final()])
  } catch {
    throw new SourceError(
      'SOURCE_INVALID',
      `${named(place)} was not wrapped with the key of \`unwrapKeyFile\`, or for another name, version or revision; wrap it again`,
    )
  }
}

/** Whether a value begins like a wrapped one; PEM and DER never do. */
export function isWrapped(value: Uint8Array): boolean {
  return (
    value.length >= MAGIC.length + NONCE_BYTES + TAG_BYTES && MAGIC.equals(value.subarray(0, MAGIC.length))
  )
}

/** Line feeds separate the parts, because none of them may contain one. */
function associated({ subject, version, revision, field }: Place): Buffer {
  return Buffer.from(['certswap-1', subject.kind, subject.name, version, revision, field].join('\n'))
}

function named({ subject, field }: Place): string {
  return `the field \`${field}\` of the ${subject.kind} ${subject.name}`
}
