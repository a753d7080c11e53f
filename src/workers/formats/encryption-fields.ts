import { childOf, childrenOf, type DerNode, expectTag, oidOf } from './der.js'
import { OBJECT_IDENTIFIER, SEQUENCE } from './der-tags.js'

/* Reads encryption parameters as strict DER, by structure, with a bound on each. */

/**
 * Why data was not decrypted. All reasons except `passphrase` are known before any derivation; `legacy` means that
 * OpenSSL needs its legacy provider (`openssl -legacy`).
 */
export class EncryptionError extends Error {
  readonly reason: 'damaged' | 'unsupported' | 'legacy' | 'passphrase'

  /** Another possible cause, to append to a message. */
  readonly otherCause: string

  constructor(reason: EncryptionError['reason'], message: string, otherCause = '') {
    super(message)
    this.reason = reason
    this.otherCause = otherCause
  }
}

/** Reads a structure; input that is not strict DER or has an unexpected type counts as damaged. */
export function asStructure<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof EncryptionError) throw error
    throw new EncryptionError('damaged', 'its encryption parameters are not DER')
  }
}

/** Real salts have 8 to 64 bytes. */
export const MAX_SALT_BYTES = 1024

/** AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }. */
export function algorithmOf(der: Uint8Array, node: DerNode): { id: string; parameters: DerNode | undefined } {
  const fields = childrenOf(der, node)
  if (fields.length > 2) throw new RangeError('not an algorithm')
  return { id: oidOf(der, childOf(der, fields, 0, OBJECT_IDENTIFIER)), parameters: fields[1] }
}

/** A positive integer, minimal and below 2^31, as OpenSSL requires. */
export function numberOf(der: Uint8Array, node: DerNode): number {
  const bytes = bytesOf(der, node, 5)
  const [first = 0x80, second = 0x80] = bytes
  if (first >= 0x80 || (first === 0 && second < 0x80 && bytes.length > 1))
    throw new RangeError('not a number')
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  if (value < 1 || value > 0x7fff_ffff) throw new RangeError('number is out of range')
  return value
}

/** The content of an element, at most `most` bytes. */
export function bytesOf(der: Uint8Array, node: DerNode, most: number = Number.POSITIVE_INFINITY): Uint8Array {
  if (node.to - node.from > most) throw new RangeError('element is too long')
  return der.subarray(node.from, node.to)
}

/** The fields of a SEQUENCE, at most `most`. */
export function fieldsOf(der: Uint8Array, parameters: DerNode | undefined, most: number): DerNode[] {
  const fields = childrenOf(der, expectTag(der, parameters, SEQUENCE))
  if (fields.length > most) throw new RangeError('too many parameters')
  return fields
}

/** The error for an algorithm that is not implemented here. */
export function unsupported(what: string): EncryptionError {
  return new EncryptionError('unsupported', `its ${what} is not supported`)
}

/** The error for an algorithm that this Node's OpenSSL lacks. */
export function notAvailable(what: string, isLegacy: boolean): EncryptionError {
  return isLegacy
    ? new EncryptionError('legacy', `${what}, which OpenSSL 3 has only in its legacy provider`)
    : new EncryptionError('unsupported', `${what}, which the OpenSSL of this process does not have`)
}
