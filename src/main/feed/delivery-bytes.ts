import type { DeliveredBytes, DeliveredHost, DeliveredPair, Delivery } from '../api/source.js'
import { BytesReader, MalformedError } from './bytes-reader.js'

/** The material of a delivery: all of it except `version` and `revision`. */
export type DeliveredMaterial = Omit<Delivery, 'version' | 'revision'>

/**
 * The material as bytes, in one buffer of its own that the caller can overwrite. A key is never a part of a text, as it would
 * be in JSON, because a string cannot be overwritten. With a step for each item, because there can be thousands of hosts.
 *
 * @param maxBytes - the limit of the result.
 * @returns `null` if the material is larger.
 */
export function* bytesOfMaterial(
  material: DeliveredMaterial,
  maxBytes: number,
): Generator<void, Buffer | null, void> {
  let length = 0
  for (const item of itemsOf(material)) {
    length += sizeOf(item)
    yield
  }
  if (length > maxBytes) return null
  // Not from Node's shared buffer pool, so that it can be overwritten as a whole.
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = 0
  for (const item of itemsOf(material)) {
    at = put(item, bytes, at)
    yield
  }
  return bytes
}

/**
 * The material in these bytes. Its certificates and keys are views into them, not copies.
 *
 * @throws MalformedError
 */
export function materialOf(bytes: Buffer): DeliveredMaterial {
  const reader = new BytesReader(bytes)
  const found: { -readonly [Name in keyof DeliveredMaterial]: DeliveredMaterial[Name] } = { pairs: [] }
  let last = 0
  while (reader.left > 0) {
    const section = reader.uint8()
    if (section <= last) throw new MalformedError('the sections are not in order')
    last = section
    if (section === SECTION.pairs) found.pairs = listOf(reader, pairOf)
    else if (section === SECTION.ca) found.ca = listOf(reader, blobOf)
    else if (section === SECTION.crl) found.crl = listOf(reader, blobOf)
    else if (section === SECTION.domains) found.trustDomains = Object.fromEntries(listOf(reader, domainOf))
    else if (section === SECTION.hosts) found.hosts = listOf(reader, hostOf)
    else throw new MalformedError('a section is unknown')
  }
  if (found.pairs.length === 0) throw new MalformedError('there is no pair')
  return found
}

/**
 * The material with the hosts of an earlier one, for a delivery that states nothing about hosts: then those in service stay.
 *
 * @param material - is overwritten if the result is another buffer.
 * @throws MalformedError
 */
export function withHostsOf(material: Buffer, earlier: Buffer): Buffer {
  const hosts = hostsSectionIn(earlier)
  if (hosts.length === 0 || hostsSectionIn(material).length > 0) return material
  const both = Buffer.allocUnsafeSlow(material.length + hosts.length)
  hosts.copy(both, material.copy(both))
  material.fill(0)
  return both
}

/** The last section; empty if there is none. */
function hostsSectionIn(bytes: Buffer): Buffer {
  const reader = new BytesReader(bytes)
  while (reader.left > 0) {
    const at = bytes.length - reader.left
    const section = reader.uint8()
    if (section === SECTION.hosts) return bytes.subarray(at)
    listOf<unknown>(
      reader,
      section === SECTION.pairs ? pairOf : section === SECTION.domains ? domainOf : blobOf,
    )
  }
  return bytes.subarray(bytes.length)
}

/** A number of one byte, a number of four bytes, or an item with its length. */
type Item = { readonly uint8: number } | { readonly uint32: number } | DeliveredBytes

/** Each occurs at most once, in this order. An absent section is not the same as an empty one. */
const SECTION = { pairs: 1, ca: 2, crl: 3, domains: 4, hosts: 5 } as const
const PAIR = { separate: 1, bundle: 2 } as const

function* itemsOf({ pairs, ca, crl, trustDomains, hosts }: DeliveredMaterial): Generator<Item, void, void> {
  yield* section(SECTION.pairs, pairs)
  for (const pair of pairs) yield* itemsOfPair(pair)
  if (ca) {
    yield* section(SECTION.ca, ca)
    yield* ca
  }
  if (crl) {
    yield* section(SECTION.crl, crl)
    yield* crl
  }
  if (trustDomains) {
    const domains = Object.entries(trustDomains)
    yield* section(SECTION.domains, domains)
    for (const [domain, anchors] of domains) {
      yield domain
      yield { uint32: anchors.length }
      yield* anchors
    }
  }
  if (!hosts) return
  yield* section(SECTION.hosts, hosts)
  for (const host of hosts) {
    yield host.name
    yield host.version
    yield* itemsOfPair(host)
  }
}

function* section(uint8: number, list: readonly unknown[]): Generator<Item, void, void> {
  yield { uint8 }
  yield { uint32: list.length }
}

function* itemsOfPair(pair: DeliveredPair): Generator<Item, void, void> {
  if (pair.bundle !== undefined) {
    yield { uint8: PAIR.bundle }
    yield pair.bundle
    return
  }
  yield { uint8: PAIR.separate }
  yield pair.cert
  yield pair.key
}

function sizeOf(item: Item): number {
  if (typeof item === 'string') return 4 + Buffer.byteLength(item)
  if (item instanceof Uint8Array) return 4 + item.length
  return 'uint8' in item ? 1 : 4
}

/** @returns the place after the item. */
function put(item: Item, bytes: Buffer, at: number): number {
  if (typeof item === 'string') {
    const length = bytes.write(item, at + 4)
    return bytes.writeUInt32BE(length, at) + length
  }
  if (item instanceof Uint8Array) {
    bytes.set(item, at + 4)
    return bytes.writeUInt32BE(item.length, at) + item.length
  }
  return 'uint8' in item ? bytes.writeUInt8(item.uint8, at) : bytes.writeUInt32BE(item.uint32, at)
}

function listOf<T>(reader: BytesReader, read: (reader: BytesReader) => T): T[] {
  const count = reader.uint32()
  const list: T[] = []
  // The list is not allocated in advance: a damaged number would allocate gigabytes.
  while (list.length < count) list.push(read(reader))
  return list
}

function blobOf(reader: BytesReader): Buffer {
  return reader.bytes(reader.uint32())
}

function pairOf(reader: BytesReader): DeliveredPair {
  const kind = reader.uint8()
  if (kind === PAIR.bundle) return { bundle: blobOf(reader) }
  if (kind === PAIR.separate) return { cert: blobOf(reader), key: blobOf(reader) }
  throw new MalformedError('a pair is of an unknown kind')
}

function domainOf(reader: BytesReader): [string, Buffer[]] {
  const domain = reader.text(reader.uint32())
  return [domain, listOf(reader, blobOf)]
}

function hostOf(reader: BytesReader): DeliveredHost {
  const name = reader.text(reader.uint32())
  const version = reader.text(reader.uint32())
  return { name, version, ...pairOf(reader) }
}
