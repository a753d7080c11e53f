import { BIT_STRING, CONSTRUCTED, SEQUENCE, SET } from './der-tags.js'

/**
 * Converts BER to DER (ITU-T X.690, sections 8.1.3 and 10.1): all lengths definite and minimal, all strings primitive.
 * Java, Windows and NSS write PKCS#12 files in BER. All later readers see this one form, so no content can be
 * interpreted in two ways.
 *
 * Bytes after the first element are dropped. Implicitly tagged constructed strings are left as they are, because only
 * the reader knows that they are strings ({@link octetsOf}).
 *
 * @throws RangeError if the input is truncated, nested deeper than {@link MAX_DEPTH}, or has a multi-byte tag, which
 *   neither PKCS#8 nor PKCS#12 uses.
 */
export function derFromBer(ber: Uint8Array): Buffer {
  return convert(ber, 0, ber.length, 0).der
}

/** OpenSSL stops at 30 levels (`ASN1_MAX_CONSTRUCTED_NEST`). */
const MAX_DEPTH = 30

const CLASS = 0xc0
const NUMBER = 0x1f
const INDEFINITE = 0x80

interface Converted {
  readonly der: Buffer
  readonly next: number
}

function convert(ber: Uint8Array, start: number, end: number, depth: number): Converted {
  if (depth > MAX_DEPTH) throw new RangeError('BER is nested too deeply')
  const tag = byteAt(ber, start, end)
  if ((tag & NUMBER) === NUMBER) throw new RangeError('BER tag has more than one byte')
  const { length, from } = lengthAt(ber, start + 1, end)
  if (length === null && !(tag & CONSTRUCTED)) throw new RangeError('BER length is indefinite')
  const to = length === null ? end : from + length
  if (to > end) throw new RangeError('BER element runs past the end')
  if (!(tag & CONSTRUCTED)) return { der: element(tag, [Buffer.from(ber.subarray(from, to))]), next: to }

  const children: Buffer[] = []
  let at = from
  while (length === null ? !isEnd(ber, at, end) : at < to) {
    const child = convert(ber, at, to, depth + 1)
    children.push(child.der)
    at = child.next
  }
  const next = length === null ? at + 2 : to
  const isPieces = (tag & CLASS) === 0 && tag !== SEQUENCE && tag !== SET
  return { der: isPieces ? joined(tag & ~CONSTRUCTED, children) : element(tag, children), next }
}

/** Joins the segments of a constructed string. Only the last segment of a bit string may have unused bits. */
function joined(tag: number, pieces: readonly Buffer[]): Buffer {
  const contents = pieces.map((piece) => {
    if (piece[0] !== tag) throw new RangeError('BER string contains a segment of another type')
    return piece.subarray(headerBytes(piece))
  })
  if (tag !== BIT_STRING) return element(tag, contents)
  const unused = contents.at(-1)?.subarray(0, 1) ?? Buffer.of(0)
  return element(tag, [unused, ...contents.map((content) => content.subarray(1))])
}

export function element(tag: number, parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(length)]), ...parts])
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return [0x80 | bytes.length, ...bytes]
}

/** Header size of an element that {@link element} built. */
function headerBytes(der: Uint8Array): number {
  const first = der[1] as number
  return first < 0x80 ? 2 : 2 + (first & 0x7f)
}

function lengthAt(ber: Uint8Array, at: number, end: number): { length: number | null; from: number } {
  const first = byteAt(ber, at, end)
  if (first === INDEFINITE) return { length: null, from: at + 1 }
  if (first < 0x80) return { length: first, from: at + 1 }
  const count = first & 0x7f
  let length = 0
  for (let i = 1; i <= count; i++) {
    length = length * 256 + byteAt(ber, at + i, end)
    if (length > end) throw new RangeError('BER element runs past the end')
  }
  return { length, from: at + 1 + count }
}

function isEnd(ber: Uint8Array, at: number, end: number): boolean {
  return byteAt(ber, at, end) === 0 && byteAt(ber, at + 1, end) === 0
}

function byteAt(ber: Uint8Array, at: number, end: number): number {
  if (at >= end) throw new RangeError('BER element runs past the end')
  return ber[at] as number
}
