import { isUtf8 } from 'node:buffer'

import { hashRounds } from './hash-rounds.js'

/** A digest for PKCS#12 key derivation, with its sizes in bytes (RFC 7292, appendix B.2: u and v). */
export interface KdfDigest {
  readonly name: string
  readonly bytes: number
  readonly blockBytes: number
}

/** Key, initialisation vector, or MAC key (RFC 7292, appendix B.3). */
export type KdfPurpose = 1 | 2 | 3

/**
 * Derives `length` bytes as PKCS#12 specifies (RFC 7292, appendix B.2). Node has no function for it.
 *
 * @param password from {@link bmpPassword}.
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
 * A passphrase in the form that PKCS#12 hashes: big-endian UTF-16 with two trailing zero bytes. Without a passphrase,
 * some programs hash nothing and some the two zero bytes (RFC 7292, appendix B.1). Bytes that are not UTF-8 are treated
 * as ISO 8859-1, like OpenSSL (`OPENSSL_utf82uni`).
 */
export function bmpPassword(passphrase: Uint8Array | null): Buffer {
  if (passphrase === null) return Buffer.alloc(0)
  const bytes = Buffer.from(passphrase.buffer, passphrase.byteOffset, passphrase.length)
  const text = bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1')
  return Buffer.from(`${text}\0`, 'utf16le').swap16()
}

/** Repeats the content to fill whole blocks. */
function filled(content: Uint8Array, blockBytes: number): Buffer {
  return Buffer.alloc(Math.ceil(content.length / blockBytes) * blockBytes, content)
}

/** Adds `addend` + 1 to every block of the input. */
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
