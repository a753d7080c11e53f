// Changes the structure of DER instead of its bytes, so that changes reach the code that parses nested elements.

import { tagged } from '../material/der.js'

/** The encoding of an element; all except `der` are BER or invalid. */
type Form = 'der' | 'indefinite' | 'long length' | 'high tag' | 'pieces'

interface Element {
  tag: number
  form: Form
  /** The parts of a constructed element, or of an octet string with DER; `null` for others. */
  children: Element[] | null
  content: Buffer
}

export type Random = () => number

/** The DER with some elements changed at random. */
export function mutated(der: Buffer, random: Random, donors: readonly Buffer[] = []): Buffer {
  const root = parse(der)
  const changes = 1 + Math.floor(random() * random() * 4)
  for (let i = 0; i < changes; i++) change(root, random, donors)
  return write(root)
}

/**
 * The element in BER, as written by Windows and NSS: every length indefinite, every octet string in two pieces. The content of
 * octet strings is unchanged.
 */
export function berOf(der: Buffer): Buffer {
  const root = parse(der)
  const loosen = (element: Element): void => {
    if (element.tag === 0x04) {
      element.children = null
      element.form = 'pieces'
    } else if (element.children) {
      element.form = 'indefinite'
      element.children.forEach(loosen)
    }
  }
  loosen(root)
  return write(root)
}

function change(root: Element, random: Random, donors: readonly Buffer[]): void {
  const places = placesIn(root)
  if (places.length === 0) return
  const { parent, index } = pick(places, random)
  const siblings = parent.children as Element[]
  const element = siblings[index] as Element
  const act = pick(CHANGES, random)
  act({ element, siblings, index, random, donors, places })
}

interface Place {
  readonly parent: Element
  readonly index: number
}

interface Change {
  readonly element: Element
  readonly siblings: Element[]
  readonly index: number
  readonly random: Random
  readonly donors: readonly Buffer[]
  readonly places: readonly Place[]
}

const CHANGES: readonly ((change: Change) => void)[] = [
  // Another encoding.
  ({ element }) => {
    element.form = 'indefinite'
  },
  ({ element }) => {
    element.form = 'long length'
  },
  ({ element }) => {
    element.form = 'high tag'
  },
  ({ element }) => {
    element.form = 'pieces'
  },
  // Another type.
  ({ element, random }) => {
    element.tag = pick(TAGS, random)
  },
  ({ element }) => {
    element.tag ^= 0x20
  },
  // Other content.
  ({ element, random }) => {
    flipBit(element, random)
  },
  ({ element, random }) => {
    flipBit(element, random)
    flipBit(element, random)
  },
  ({ element }) => {
    replaceContent(element, Buffer.alloc(0))
  },
  ({ element, random }) => {
    replaceContent(element, Buffer.alloc(1 + Math.floor(random() * 3000), Math.floor(random() * 256)))
  },
  ({ element, random }) => {
    replaceContent(element, pick(CONTENTS, random))
  },
  // Moved, duplicated or removed.
  ({ siblings, index }) => {
    siblings.splice(index, 1)
  },
  ({ siblings, index, element, random }) => {
    const times = random() < 0.9 ? 1 : 200
    siblings.splice(index, 0, ...Array.from({ length: times }, () => structuredClone(element)))
  },
  ({ siblings, index }) => {
    siblings.splice(index, 0, ...siblings.splice(index + 1, 1))
  },
  ({ siblings, index, places, random }) => {
    const { parent, index: other } = pick(places, random)
    siblings[index] = structuredClone((parent.children as Element[])[other] as Element)
  },
  ({ siblings, index, donors, random }) => {
    if (donors.length > 0) siblings.splice(index, 0, parse(pick(donors, random)))
  },
  ({ siblings, index, element, random }) => {
    const depth = random() < 0.8 ? 1 : 40
    for (let i = 0; i < depth; i++) {
      const inner = siblings[index] as Element
      siblings[index] = { tag: element.tag | 0x20, form: 'der', children: [inner], content: Buffer.alloc(0) }
    }
  },
]

const TAGS = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1c, 0x1e, 0x30, 0x31, 0x80,
  0x82, 0x86, 0xa0, 0xa1, 0xa3, 0xa4,
]

/** Numbers, times, names and identifiers that parsers may mishandle. */
const CONTENTS = [
  Buffer.from([0]),
  Buffer.from([0xff]),
  Buffer.from([0, 0, 1]),
  Buffer.alloc(21, 0x7f),
  Buffer.from('99991231235959Z'),
  Buffer.from('00000101000000Z'),
  Buffer.from('20301399256199Z'),
  Buffer.from('4912312359'),
  Buffer.from('a\0b.example'),
  Buffer.from('", DNS:evil.example, URI:"'),
  Buffer.from('*.*.example'),
  Buffer.from([0xd8, 0x00, 0xdc]),
  Buffer.from('2a8648ce3d0301', 'hex'),
  Buffer.from('2b8104000a', 'hex'),
  Buffer.from([0x80, 0x80, 0x01]),
]

function flipBit(element: Element, random: Random): void {
  const content = contentOf(element)
  const at = Math.floor(random() * content.length)
  if (content.length > 0) content[at] = (content[at] as number) ^ (1 << Math.floor(random() * 8))
  replaceContent(element, content)
}

function replaceContent(element: Element, content: Buffer): void {
  element.children = null
  element.content = Buffer.from(content)
}

function placesIn(element: Element): Place[] {
  const children = element.children ?? []
  return children.flatMap((child, index) => [{ parent: element, index }, ...placesIn(child)])
}

function parse(der: Buffer): Element {
  const [element] = parseAll(der)
  if (!element) throw new TypeError('expected DER')
  return element
}

function parseAll(der: Buffer): Element[] {
  const elements: Element[] = []
  for (let at = 0; at < der.length; ) {
    const tag = der[at] as number
    const first = der[at + 1] as number
    const count = first < 0x80 ? 0 : first & 0x7f
    const length = count === 0 ? first : der.readUIntBE(at + 2, count)
    const from = at + 2 + count
    const content = Buffer.from(der.subarray(from, from + length))
    if (content.length !== length) throw new RangeError('expected DER')
    elements.push({ tag, form: 'der', children: childrenIn(tag, content), content })
    at = from + length
  }
  return elements
}

function childrenIn(tag: number, content: Buffer): Element[] | null {
  if (tag & 0x20) return parseAll(content)
  if (tag !== 0x04 || content.length < 2) return null
  try {
    return parseAll(content)
  } catch {
    return null
  }
}

function contentOf({ children, content }: Element): Buffer {
  return children ? Buffer.concat(children.map(write)) : content
}

function write(element: Element): Buffer {
  const content = contentOf(element)
  const { tag } = element
  switch (element.form) {
    case 'der':
      return tagged(tag, content)
    case 'indefinite':
      return Buffer.concat([Buffer.from([tag | 0x20, 0x80]), content, Buffer.alloc(2)])
    case 'long length': {
      const header = Buffer.alloc(6)
      header.writeUInt8(tag, 0)
      header.writeUInt8(0x84, 1)
      header.writeUInt32BE(content.length, 2)
      return Buffer.concat([header, content])
    }
    case 'high tag':
      return Buffer.concat([Buffer.from([tag | 0x1f, tag & 0x1f]), tagged(tag, content).subarray(1)])
    case 'pieces': {
      const half = Math.floor(content.length / 2)
      const pieces = [content.subarray(0, half), content.subarray(half)].map((piece) =>
        tagged(tag & ~0x20, piece),
      )
      return tagged(tag | 0x20, ...pieces)
    }
  }
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)] as T
}
