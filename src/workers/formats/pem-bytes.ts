import { exact } from '../base/exact.js'

/** Base64 with a label, 64 characters per line (RFC 7468), made without strings, because a string cannot be overwritten. */
export function pemBytes(label: string, der: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = exact(`-----BEGIN ${label}-----\n`)
  const tail = exact(`-----END ${label}-----\n`)
  const lines = Math.ceil(der.length / LINE_BYTES)
  const pem = new Uint8Array(head.length + Math.ceil(der.length / 3) * 4 + lines + tail.length)
  pem.set(head)
  let at = head.length
  for (let from = 0; from < der.length; from += LINE_BYTES) {
    at = writeBase64Line(der.subarray(from, from + LINE_BYTES), pem, at)
  }
  pem.set(tail, at)
  return pem
}

const LINE_BYTES = 48
const ALPHABET = exact('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const PAD = 0x3d
const NEWLINE = 0x0a

function writeBase64Line(from: Uint8Array, into: Uint8Array, start: number): number {
  let at = start
  for (let i = 0; i < from.length; i += 3) {
    const [a, b, c] = [from[i] as number, from[i + 1] ?? 0, from[i + 2] ?? 0]
    into[at++] = ALPHABET[a >> 2] as number
    into[at++] = ALPHABET[((a & 3) << 4) | (b >> 4)] as number
    into[at++] = i + 1 < from.length ? (ALPHABET[((b & 15) << 2) | (c >> 6)] as number) : PAD
    into[at++] = i + 2 < from.length ? (ALPHABET[c & 63] as number) : PAD
  }
  into[at++] = NEWLINE
  return at
}
