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
 * @throws RangeError when any of it is not DER, when a string comes in pieces, or when bytes follow the element.
 */
export function assertDer(der: Uint8Array): DerNode {
  const root = nodeAt(der, 0)
  if (root.to !== der.length) throw new RangeError('bytes follow the DER element')
  walk(der, root, 0)
  return root
}

/** OpenSSL stops at 30 levels (`ASN1_MAX_CONSTRUCTED_NEST`). */
const DEEPEST = 30
const CONSTRUCTED = 0x20
const CONTEXT = 0x80
const SEQUENCE = 0x30
const SET = 0x31

function walk(der: Uint8Array, node: DerNode, depth: number): void {
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
  const child = children[index]
  if (child?.tag !== tag) throw new RangeError(`DER element ${index} is of another type`)
  if (child.to > der.length) throw new RangeError('DER element runs past the end')
  return child
}

/** An object identifier in dotted form. */
export function oidOf(der: Uint8Array, node: DerNode): string {
  if (node.tag !== OBJECT_IDENTIFIER) throw new RangeError('no object identifier')
  const first = byteAt(der, node.from)
  const arcs = [Math.min(2, Math.floor(first / 40))]
  arcs.push(first - (arcs[0] as number) * 40)
  let arc = 0
  for (let at = node.from + 1; at < node.to; at++) {
    const byte = byteAt(der, at)
    arc = arc * 128 + (byte & 0x7f)
    if ((byte & 0x80) === 0) {
      arcs.push(arc)
      arc = 0
    }
  }
  return arcs.join('.')
}

const OBJECT_IDENTIFIER = 0x06
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

/** Whether it is a UTCTime or a GeneralizedTime. */
export function isTime({ tag }: DerNode): boolean {
  return tag === UTC_TIME || tag === GENERALIZED_TIME
}

/** A UTCTime or GeneralizedTime in milliseconds since the epoch (RFC 5280, section 4.1.2.5); `null` for what is none. */
export function timeOf(der: Uint8Array, node: DerNode): number | null {
  if (!isTime(node)) return null
  let digits = Buffer.from(der.buffer, der.byteOffset + node.from, node.to - node.from).toString('latin1')
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
