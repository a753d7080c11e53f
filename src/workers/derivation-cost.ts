/*
 * A key file says itself how often its passphrase is to be hashed, and OpenSSL does so in one native call that nothing
 * can end, not even the end of its thread. So the number is looked at first.
 */

/** About two seconds of work; the highest advice of today is 1.3 million. */
export const MOST_ITERATIONS = 5_000_000

/**
 * The largest iteration count that BER names: in PBKDF2, in the schemes of PKCS#5 and PKCS#12 and in the MAC of a
 * PKCS#12 file alike, it is the integer after the salt. What is encrypted is not looked into.
 */
export function iterationsIn(ber: Uint8Array): number {
  let most = 0
  const visit = (bytes: Uint8Array, depth: number): void => {
    let afterSalt = false
    for (let at = 0; at < bytes.length; ) {
      const { tag, content, next } = elementAt(bytes, at, depth)
      if (afterSalt && tag === INTEGER) most = Math.max(most, numberOf(content))
      afterSalt = tag === OCTET_STRING
      if (tag === OCTET_STRING) tryVisit(content, depth + 1)
      else if (tag === PIECED_OCTET_STRING) tryVisit(joined(content, depth + 1), depth + 1)
      else if (tag & CONSTRUCTED) visit(content, depth + 1)
      at = next
    }
  }
  // Octet strings hold anything, and a file may end in anything: what was seen until then counts.
  const tryVisit = (bytes: Uint8Array, depth: number): void => {
    try {
      visit(bytes, depth)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
  }
  tryVisit(ber, 0)
  return most
}

const INTEGER = 0x02
const OCTET_STRING = 0x04
const PIECED_OCTET_STRING = 0x24
const CONSTRUCTED = 0x20
const INDEFINITE = 0x80
/** OpenSSL goes 30 deep. */
const DEEPEST = 40

interface Element {
  readonly tag: number
  readonly content: Uint8Array
  readonly next: number
}

/** One element of BER: unlike in DER, its length may be left open, up to two zero bytes. */
function elementAt(bytes: Uint8Array, start: number, depth: number): Element {
  if (depth > DEEPEST) throw new RangeError('BER is nested too deep')
  let at = start
  const byte = (): number => {
    const value = bytes[at++]
    if (value === undefined) throw new RangeError('BER element runs past the end')
    return value
  }
  const tag = byte()
  if ((tag & 0x1f) === 0x1f) while (byte() & 0x80);
  let length = byte()
  if (length === INDEFINITE) {
    const from = at
    while (bytes[at] !== 0 || bytes[at + 1] !== 0) at = elementAt(bytes, at, depth + 1).next
    return { tag, content: bytes.subarray(from, at), next: at + 2 }
  }
  if (length & 0x80) {
    const count = length & 0x7f
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + byte()
  }
  if (at + length > bytes.length) throw new RangeError('BER element runs past the end')
  return { tag, content: bytes.subarray(at, at + length), next: at + length }
}

/** An octet string that comes in pieces. */
function joined(bytes: Uint8Array, depth: number): Uint8Array {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const { content, next } = elementAt(bytes, at, depth)
    pieces.push(content)
    at = next
  }
  return Buffer.concat(pieces)
}

function numberOf(content: Uint8Array): number {
  return content.reduce((value, byte) => value * 256 + byte, 0)
}
