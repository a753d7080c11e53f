import { isUtf8 } from 'node:buffer'

import { hashRounds } from './hash-rounds.js'

/** A digest that the key derivation of PKCS#12 can use, with its sizes in bytes (RFC 7292, appendix B.2: u and v). */
export interface KdfDigest {
  readonly name: string
  readonly bytes: number
  readonly blockBytes: number
}

/** What is derived: the key, the initialisation vector, or the key of the MAC (RFC 7292, appendix B.3). */
export type KdfPurpose = 1 | 2 | 3

/**
 * Derives `length` bytes as PKCS#12 does (RFC 7292, appendix B.2). Node has no function for it.
 *
 * @param password as {@link bmpPassword} gives it.
 */
export function pkcs12Kdf(
  { name, bytes, blockBytes }: KdfDigest,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  purpose: KdfPurpose,
  length: number,
): Buffer {
  const diversifier = Buffer.alloc(blockBytes, purpose)
  const input = Buffer.concat([filled(salt, blockBytes), filled(password, blockBytes)])
  const derived = Buffer.alloc(Math.ceil(length / bytes) * bytes)
  for (let at = 0; at < length; at += bytes) {
    const first = Buffer.concat([diversifier, input])
    const block = hashRounds(name, first, iterations)
    first.fill(0)
    block.copy(derived, at)
    increase(input, filled(block, blockBytes), blockBytes)
  }
  input.fill(0)
  return derived.subarray(0, length)
}

/**
 * A passphrase as PKCS#12 hashes it: UTF-16, big-endian, with two zero bytes behind it. Without a passphrase, some
 * programs hash nothing and some hash the two zero bytes (RFC 7292, appendix B.1). Bytes that are no UTF-8 are taken for
 * ISO 8859-1, as OpenSSL does (`OPENSSL_utf82uni`).
 */
export function bmpPassword(passphrase: Uint8Array | null): Buffer {
  if (passphrase === null) return Buffer.alloc(0)
  const bytes = Buffer.from(passphrase.buffer, passphrase.byteOffset, passphrase.length)
  const text = bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1')
  return Buffer.from(`${text}\0`, 'utf16le').swap16()
}

/** Repeated up to a whole number of blocks. */
function filled(content: Uint8Array, blockBytes: number): Buffer {
  return Buffer.alloc(Math.ceil(content.length / blockBytes) * blockBytes, content)
}

/** Adds `addend` and 1 to every block of the input. */
function increase(input: Buffer, addend: Buffer, blockBytes: number): void {
  for (let block = 0; block < input.length; block += blockBytes) {
    let carry = 1
    for (let i = blockBytes - 1; i >= 0; i--) {
      const sum = (input[block + i] as number) + (addend[i] as number) + carry
      input[block + i] = sum & 0xff
      carry = sum >> 8
    }
  }
}
