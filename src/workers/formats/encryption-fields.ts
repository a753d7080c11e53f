import { childOf, childrenOf, type DerNode, expected, oidOf } from './der.js'
import { OBJECT_IDENTIFIER, SEQUENCE } from './der-tags.js'

/* How the parameters of encryption are read: as strict DER, by their structure, each within its bounds. */

/**
 * Why something encrypted was not decrypted. All reasons but `passphrase` are known before anything is derived; `legacy` is
 * what OpenSSL can do with its legacy provider, which the program `openssl` loads by `-legacy`.
 */
export class EncryptionError extends Error {
  readonly reason: 'damaged' | 'unsupported' | 'legacy' | 'passphrase'

  /** What else may be wrong, to be put behind a message. */
  readonly doubt: string

  constructor(reason: EncryptionError['reason'], message: string, doubt = '') {
    super(message)
    this.reason = reason
    this.doubt = doubt
  }
}

/** Reads a structure; what is not strict DER, or of another type than expected, is damaged. */
export function asStructure<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof EncryptionError) throw error
    throw new EncryptionError('damaged', 'its encryption parameters are no DER')
  }
}

/** Real salts have 8 to 64 bytes. */
export const MOST_SALT_BYTES = 1024

/** AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }. */
export function algorithmOf(der: Uint8Array, node: DerNode): { id: string; parameters: DerNode | undefined } {
  const fields = childrenOf(der, node)
  if (fields.length > 2) throw new RangeError('not an algorithm')
  return { id: oidOf(der, childOf(der, fields, 0, OBJECT_IDENTIFIER)), parameters: fields[1] }
}

/** A positive integer, in its shortest form and below 2^31, as OpenSSL takes it. */
export function numberOf(der: Uint8Array, node: DerNode): number {
  const bytes = bytesOf(der, node, 5)
  const [first = 0x80, second = 0x80] = bytes
  if (first >= 0x80 || (first === 0 && second < 0x80 && bytes.length > 1))
    throw new RangeError('not a number')
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  if (value < 1 || value > 0x7fff_ffff) throw new RangeError('number is out of range')
  return value
}

/** The content of an element of at most `most` bytes. */
export function bytesOf(der: Uint8Array, node: DerNode, most: number = Number.POSITIVE_INFINITY): Uint8Array {
  if (node.to - node.from > most) throw new RangeError('element is too long')
  return der.subarray(node.from, node.to)
}

/** The fields of a SEQUENCE of at most `most`. */
export function fieldsOf(der: Uint8Array, parameters: DerNode | undefined, most: number): DerNode[] {
  const fields = childrenOf(der, expected(der, parameters, SEQUENCE))
  if (fields.length > most) throw new RangeError('too many parameters')
  return fields
}

/** The error for an algorithm that no reader here knows. */
export function unsupported(what: string): EncryptionError {
  return new EncryptionError('unsupported', `its ${what} is not supported`)
}

/** The error for an algorithm that this Node does not have. */
export function notAvailable(what: string, isLegacy: boolean): EncryptionError {
  return isLegacy
    ? new EncryptionError('legacy', `${what}, which OpenSSL 3 has only in its legacy provider`)
    : new EncryptionError('unsupported', `${what}, which the OpenSSL of this process does not have`)
}
