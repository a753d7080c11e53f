/** One element of DER (ITU-T X.690): its tag, and where its content begins and ends. */
export interface DerNode {
  readonly tag: number
  readonly from: number
  readonly to: number
}

/**
 * The element that begins at `at`.
 *
 * @throws RangeError when it runs past the end of the bytes.
 */
export function nodeAt(der: Uint8Array, at: number): DerNode {
  const tag = byteAt(der, at)
  let length = byteAt(der, at + 1)
  let from = at + 2
  if (length & 0x80) {
    const count = length & 0x7f
    if (count === 0 || count > 4) throw new RangeError('DER length is out of range')
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + byteAt(der, from++)
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

/** An object identifier in dotted form. */
export function oidOf(der: Uint8Array, node: DerNode): string {
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
