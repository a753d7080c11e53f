import {
  CONSTRUCTED,
  GENERALIZED_TIME,
  INTEGER,
  OBJECT_IDENTIFIER,
  SEQUENCE,
  SET,
  UTC_TIME,
} from './der-tags.js'

/** One element of DER (ITU-T X.690): its tag, and where its content begins and ends. */
export interface DerNode {
  readonly tag: number
  readonly from: number
  readonly to: number
}

/**
 * The element that begins at `at`.
 *
 * @throws RangeError when it runs past the end of the bytes, or is BER and not DER: a tag of more than one byte, an
 *   indefinite length, or a length that is not as short as it can be (X.690, section 10.1).
 */
export function nodeAt(der: Uint8Array, at: number): DerNode {
  const tag = byteAt(der, at)
  if ((tag & 0x1f) === 0x1f) throw new RangeError('DER tag is of more than one byte')
  let length = byteAt(der, at + 1)
  let from = at + 2
  if (length & 0x80) {
    const count = length & 0x7f
    if (count === 0 || count > 4) throw new RangeError('DER length is out of range')
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + byteAt(der, from++)
    if (length < 0x80 || length < 256 ** (count - 1)) throw new RangeError('DER length is not the shortest')
  }
  const to = from + length
  if (to > der.length) throw new RangeError('DER element runs past the end')
  return { tag, from, to }
}

/**
 * The elements inside a constructed one, in order.
 *
 * @throws RangeError when one runs past the end of it.
 */
export function childrenOf(der: Uint8Array, parent: DerNode): DerNode[] {
  const children: DerNode[] = []
  for (let at = parent.from; at < parent.to; ) {
    const child = nodeAt(der, at)
    if (child.to > parent.to) throw new RangeError('DER element runs past the end')
    children.push(child)
    at = child.to
  }
  return children
}

/**
 * Walks everything that is constructed, and the only element that bytes hold.
 *
 * @throws RangeError when any of it is not DER, when a string comes in pieces, when an object identifier is longer than
 *   63 bytes, or when bytes follow the element.
 */
export function assertDer(der: Uint8Array): DerNode {
  const root = nodeAt(der, 0)
  if (root.to !== der.length) throw new RangeError('bytes follow the DER element')
  walk(der, root, 0)
  return root
}

/** OpenSSL stops at 30 levels (`ASN1_MAX_CONSTRUCTED_NEST`). */
const DEEPEST = 30
/** In bytes. As text it fits into the 255 characters that Node 20 has for one; real ones have up to 30 bytes. */
const LONGEST_OID = 63
const CONTEXT = 0x80

function walk(der: Uint8Array, node: DerNode, depth: number): void {
  if (node.tag === OBJECT_IDENTIFIER) oidOf(der, node)
  if (!(node.tag & CONSTRUCTED)) return
  if (depth > DEEPEST) throw new RangeError('DER is nested too deep')
  if (!(node.tag & CONTEXT) && node.tag !== SEQUENCE && node.tag !== SET) {
    throw new RangeError('DER string comes in pieces')
  }
  for (const child of childrenOf(der, node)) walk(der, child, depth + 1)
}

/**
 * The child at `index`, which must be of this tag.
 *
 * @throws RangeError
 */
export function childOf(
  der: Uint8Array,
  children: readonly (DerNode | undefined)[],
  index: number,
  tag: number,
): DerNode {
  return expected(der, children[index], tag)
}

/**
 * An element that must be there, and of this tag.
 *
 * @throws RangeError
 */
export function expected(der: Uint8Array, node: DerNode | undefined, tag: number): DerNode {
  if (node?.tag !== tag) throw new RangeError('DER element is of another type')
  if (node.to > der.length) throw new RangeError('DER element runs past the end')
  return node
}

/** The content of an element. The bytes are not copied. */
export function contentOf(der: Uint8Array, { from, to }: DerNode): Buffer {
  return Buffer.from(der.buffer, der.byteOffset + from, to - from)
}

/** The content of an element in base64. */
export function base64Of(der: Uint8Array, node: DerNode): string {
  return contentOf(der, node).toString('base64')
}

/**
 * An INTEGER of any size that is not negative.
 *
 * @throws RangeError
 */
export function naturalOf(der: Uint8Array, node: DerNode): bigint {
  const bytes = contentOf(der, expected(der, node, INTEGER))
  if (bytes.length === 0 || (bytes[0] as number) >= 0x80) throw new RangeError('not a natural number')
  return BigInt(`0x${bytes.toString('hex')}`)
}

/** An object identifier in dotted form. */
export function oidOf(der: Uint8Array, node: DerNode): string {
  if (node.tag !== OBJECT_IDENTIFIER) throw new RangeError('no object identifier')
  if (node.to - node.from > LONGEST_OID) throw new RangeError('object identifier is too long')
  const arcs: (number | bigint)[] = []
  let arc: number | bigint = 0
  for (let at = node.from; at < node.to; at++) {
    const byte = byteAt(der, at)
    // Identifiers below 2.25 hold a UUID of 128 bits.
    arc =
      arc < LARGEST_EXACT_ARC ? Number(arc) * 128 + (byte & 0x7f) : BigInt(arc) * 128n + BigInt(byte & 0x7f)
    if ((byte & 0x80) === 0) {
      arcs.push(arc)
      arc = 0
    }
  }
  const [first, ...rest] = arcs
  if (first === undefined) throw new RangeError('object identifier is cut off')
  // The first two arcs are one number; only below 2 can the second one be 40 or more (X.690, section 8.19.4).
  const root = first < 80 ? Math.floor(Number(first) / 40) : 2
  const second = typeof first === 'bigint' ? first - 80n : first - root * 40
  return [root, second, ...rest].join('.')
}

/** Times 128, a larger number is no longer exact. */
const LARGEST_EXACT_ARC = 2 ** 46

/** Whether it is a UTCTime or a GeneralizedTime. */
export function isTime({ tag }: DerNode): boolean {
  return tag === UTC_TIME || tag === GENERALIZED_TIME
}

/** A UTCTime or GeneralizedTime in milliseconds since the epoch (RFC 5280, section 4.1.2.5); `null` for what is none. */
export function timeOf(der: Uint8Array, node: DerNode): number | null {
  if (!isTime(node)) return null
  let digits = contentOf(der, node).toString('latin1')
  if (node.tag === UTC_TIME) digits = (digits < '50' ? '20' : '19') + digits
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z$/.exec(digits)
  if (!parts) return null
  const [, year, month, day, hour, minute, second = '00'] = parts
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) ? null : ms
}

function byteAt(der: Uint8Array, at: number): number {
  const byte = der[at]
  if (byte === undefined) throw new RangeError('DER element runs past the end')
  return byte
}
