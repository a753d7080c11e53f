import {
  CONSTRUCTED,
  GENERALIZED_TIME,
  INTEGER,
  OBJECT_IDENTIFIER,
  SEQUENCE,
  SET,
  UTC_TIME,
} from './der-tags.js'

/** One DER element (ITU-T X.690): its tag and the range of its content. */
export interface DerNode {
  readonly tag: number
  readonly from: number
  readonly to: number
}

/**
 * The element that starts at `at`.
 *
 * @throws RangeError if it exceeds the bytes, or is BER but not DER: a multi-byte tag, an indefinite length, or a
 *   length that is not minimal (X.690, section 10.1).
 */
export function nodeAt(der: Uint8Array, at: number): DerNode {
  const tag = byteAt(der, at)
  if ((tag & 0x1f) === 0x1f) throw new RangeError('DER tag has more than one byte')
  let length = byteAt(der, at + 1)
  let from = at + 2
  if (length & 0x80) {
    const count = length & 0x7f
    if (count === 0 || count > 4) throw new RangeError('DER length is out of range')
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + byteAt(der, from++)
    if (length < 0x80 || length < 256 ** (count - 1)) throw new RangeError('DER length is not minimal')
  }
  const to = from + length
  if (to > der.length) throw new RangeError('DER element runs past the end')
  return { tag, from, to }
}

/**
 * The child elements of a constructed element, in order.
 *
 * @throws RangeError if a child exceeds its parent.
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
 * Verifies that the bytes are exactly one DER element, recursively, and returns it.
 *
 * @throws RangeError if any part is not DER, a string is constructed, an object identifier is longer than 63 bytes, or
 *   bytes follow the element.
 */
export function assertDer(der: Uint8Array): DerNode {
  const root = nodeAt(der, 0)
  if (root.to !== der.length) throw new RangeError('bytes follow the DER element')
  walk(der, root, 0)
  return root
}

/** OpenSSL stops at 30 levels (`ASN1_MAX_CONSTRUCTED_NEST`). */
const MAX_DEPTH = 30
/** Its text fits into the 255 characters that Node 20 allows; real identifiers have up to 30 bytes. */
const MAX_OID_BYTES = 63
const CONTEXT = 0x80

function walk(der: Uint8Array, node: DerNode, depth: number): void {
  if (node.tag === OBJECT_IDENTIFIER) oidOf(der, node)
  if (!(node.tag & CONSTRUCTED)) return
  if (depth > MAX_DEPTH) throw new RangeError('DER is nested too deeply')
  if (!(node.tag & CONTEXT) && node.tag !== SEQUENCE && node.tag !== SET) {
    throw new RangeError('DER string is constructed')
  }
  for (const child of childrenOf(der, node)) walk(der, child, depth + 1)
}

/**
 * The child at `index`, which must have this tag.
 *
 * @throws RangeError
 */
export function childOf(
  der: Uint8Array,
  children: readonly (DerNode | undefined)[],
  index: number,
  tag: number,
): DerNode {
  return expectTag(der, children[index], tag)
}

/**
 * Returns the element if it exists and has this tag.
 *
 * @throws RangeError
 */
export function expectTag(der: Uint8Array, node: DerNode | undefined, tag: number): DerNode {
  if (node?.tag !== tag) throw new RangeError('DER element is of another type')
  if (node.to > der.length) throw new RangeError('DER element runs past the end')
  return node
}

/** The content of an element, not copied. */
export function contentOf(der: Uint8Array, { from, to }: DerNode): Buffer {
  return Buffer.from(der.buffer, der.byteOffset + from, to - from)
}

export function base64Of(der: Uint8Array, node: DerNode): string {
  return contentOf(der, node).toString('base64')
}

/**
 * A non-negative INTEGER of any size.
 *
 * @throws RangeError
 */
export function naturalOf(der: Uint8Array, node: DerNode): bigint {
  const bytes = contentOf(der, expectTag(der, node, INTEGER))
  if (bytes.length === 0 || (bytes[0] as number) >= 0x80) throw new RangeError('not a non-negative integer')
  return BigInt(`0x${bytes.toString('hex')}`)
}

/** An object identifier in dotted form. */
export function oidOf(der: Uint8Array, node: DerNode): string {
  if (node.tag !== OBJECT_IDENTIFIER) throw new RangeError('not an object identifier')
  if (node.to - node.from > MAX_OID_BYTES) throw new RangeError('object identifier is too long')
  const arcs: (number | bigint)[] = []
  let arc: number | bigint = 0
  for (let at = node.from; at < node.to; at++) {
    const byte = byteAt(der, at)
    // Identifiers below 2.25 hold a 128-bit UUID.
    arc =
      arc < LARGEST_EXACT_ARC ? Number(arc) * 128 + (byte & 0x7f) : BigInt(arc) * 128n + BigInt(byte & 0x7f)
    if ((byte & 0x80) === 0) {
      arcs.push(arc)
      arc = 0
    }
  }
  const [first, ...rest] = arcs
  if (first === undefined) throw new RangeError('object identifier is truncated')
  // The first number encodes two arcs; only under root 2 can the second be 40 or more (X.690, section 8.19.4).
  const root = first < 80 ? Math.floor(Number(first) / 40) : 2
  const second = typeof first === 'bigint' ? first - 80n : first - root * 40
  return [root, second, ...rest].join('.')
}

/** A larger number times 128 is no longer exact. */
const LARGEST_EXACT_ARC = 2 ** 46

export function isTime({ tag }: DerNode): boolean {
  return tag === UTC_TIME || tag === GENERALIZED_TIME
}

/** A UTCTime or GeneralizedTime in milliseconds since the epoch (RFC 5280, section 4.1.2.5); `null` if invalid. */
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
