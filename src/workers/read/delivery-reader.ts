import { contentDigest, type Fingerprint, type FingerprintEntry } from '../../fingerprint/index.js'
import { type Problem, ProblemError } from '../base/problem.js'
import { nodeAt } from '../formats/der.js'
import { SEQUENCE } from '../formats/der-tags.js'
import { pemBytes } from '../formats/pem-bytes.js'
import { noteStamp } from '../progress/progress.js'
import type { DeliveredItem, DeliveredRole, DeliveredSet } from '../protocol/delivery.js'
import { ROLES, type Role } from '../protocol/roles.js'
import type { MaterialItem, MaterialReader, MaterialSet } from './material-reader.js'

/**
 * The reader of material that a source delivered, together with the files of the other options. Certificates, anchors and
 * lists are compared by their digest, keys by the version of the delivery, because no digest of a key is kept.
 */
export function deliveryReader(delivered: DeliveredSet, files: MaterialReader): MaterialReader {
  return {
    looksUnchanged(record) {
      const [own, others] = parted(record, delivered)
      return sameEntries(own, entriesOf(delivered)) && files.looksUnchanged(others)
    },
    read() {
      const set = files.read()
      return Array.isArray(set) ? set : joined(delivered, set)
    },
  }
}

/** Overwrites the bytes of a delivered set that may hold a secret. */
export function wipeDelivered({ items }: DeliveredSet): void {
  for (const { role, bytes } of items) if (ROLES[role].secret) bytes.fill(0)
}

/** The entries of the record that are of this source, and those of files. */
function parted(record: Fingerprint, { source }: DeliveredSet): [FingerprintEntry[], FingerprintEntry[]] {
  const isOwn = ({ path }: FingerprintEntry) => path.startsWith(`${source}:`)
  return [record.filter(isOwn), record.filter((entry) => !isOwn(entry))]
}

function sameEntries(record: Fingerprint, entries: Fingerprint): boolean {
  const textOf = ({ path, by, value }: FingerprintEntry) => [path, by, value].join('\n')
  const known = new Set(record.map(textOf))
  return known.size === entries.length && entries.every((entry) => known.has(textOf(entry)))
}

function entriesOf({ items, version }: DeliveredSet): FingerprintEntry[] {
  return items.map(({ role, id, bytes }) => entryOf(role, id, bytes, version))
}

function entryOf(role: DeliveredRole, path: string, bytes: Uint8Array, version: string): FingerprintEntry {
  const { rule } = ROLES[role]
  return { path, by: rule, value: rule === 'stamp' ? version : contentDigest(bytes) }
}

function joined(delivered: DeliveredSet, files: MaterialSet): MaterialSet | Problem[] {
  const items: MaterialItem[] = []
  const wipe = () => {
    for (const { role, bytes } of items) if (ROLES[role].secret) bytes.fill(0)
    files.wipe()
  }
  const entries = entriesOf(delivered)
  try {
    for (const item of delivered.items) items.push(asItem(item, delivered.version))
  } catch (error) {
    wipe()
    if (!(error instanceof ProblemError)) throw error
    return [error.problem]
  }
  return {
    fingerprint: [...entries, ...files.fingerprint],
    fingerprintOf: (roles) => [
      ...entries.filter((_, i) => roles.has((items[i] as MaterialItem).role)),
      ...files.fingerprintOf(roles),
    ],
    itemsOf: (role: Role) => [...items.filter((item) => item.role === role), ...files.itemsOf(role)],
    anchorPlaces: files.anchorPlaces,
    warnOfAccess: (found) => files.warnOfAccess(found),
    wipe,
  }
}

function asItem({ role, id, bytes, domain }: DeliveredItem, version: string): MaterialItem {
  noteStamp(id, version)
  const item = { role, id, bytes: asPem(role, id, bytes), version }
  return domain === undefined ? item : { ...item, domain }
}

const BEGIN = '-----BEGIN '
const LABELS: Readonly<Record<DeliveredRole, string>> = {
  cert: 'CERTIFICATE',
  key: 'PRIVATE KEY',
  ca: 'CERTIFICATE',
  'domain-ca': 'CERTIFICATE',
  crl: 'X509 CRL',
}

/** @throws ProblemError `PEM_INVALID` for bytes that are neither PEM nor DER. */
function asPem(role: DeliveredRole, id: string, bytes: Uint8Array): Buffer {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // Empty material, and text without a block, are reported by the parser.
  if (bytes[0] !== SEQUENCE || view.includes(BEGIN)) return view
  const parts = elementsOf(id, bytes).map((der) => pemBytes(LABELS[role], der))
  const pem = Buffer.concat(parts)
  for (const part of parts) part.fill(0)
  return pem
}

/** The elements of concatenated DER. */
function elementsOf(id: string, bytes: Uint8Array): Uint8Array[] {
  const elements: Uint8Array[] = []
  try {
    for (let at = 0; at < bytes.length; ) {
      const { to } = nodeAt(bytes, at)
      elements.push(bytes.subarray(at, to))
      at = to
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const message = `${id} is neither PEM nor complete DER; deliver PEM text, or concatenated DER elements`
    throw new ProblemError('PEM_INVALID', message, id)
  }
  return elements
}
