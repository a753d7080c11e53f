import { oneLine } from '../base/short-text.js'
import { type AuthorityKeyId, authorityKeyIdOf } from './authority-key-id.js'
import { childrenOf, contentOf, type DerNode, expectTag, isTime, nodeAt, timeOf } from './der.js'
import { BIT_STRING, CONTEXT_0, ENUMERATED, INTEGER, SEQUENCE } from './der-tags.js'
import { byOid, type Extension, elementIn, extensionsIn } from './extensions.js'
import { canonicalName, printedName } from './name.js'

/** The fields of a revocation list. */
export interface CrlFields {
  /** In canonical form. */
  readonly issuer: string
  /** Issuer name for messages. */
  readonly issuerName: string
  readonly thisUpdate: number
  readonly nextUpdate: number | null
  readonly signature: SignedBytes
  readonly authorityKey: AuthorityKeyId | null
  readonly extensions: Extensions
  /** The issuing distribution point (RFC 5280, section 5.2.5). */
  readonly distributionPoint: DerNode | null
  /** Iterate with {@link entriesOf}. */
  readonly revoked: DerNode | null
}

/** Signed bytes and their signature. */
export interface SignedBytes {
  /** AlgorithmIdentifier as DER. */
  readonly algorithm: Uint8Array
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

type Extensions = ReadonlyMap<string, Extension>

/** One certificate that a list revokes. */
export interface CrlEntry {
  readonly serial: DerNode
  readonly extensions: Extensions
}

export const AUTHORITY_KEY_ID = '2.5.29.35'
export const ISSUING_DISTRIBUTION_POINT = '2.5.29.28'
export const CERTIFICATE_ISSUER = '2.5.29.29'
export const REASON_CODE = '2.5.29.21'
/** A reason that is valid only in a delta list. */
const REMOVE_FROM_CRL = 8

/**
 * CertificateList ::= SEQUENCE { tbsCertList { [version], signature, issuer, thisUpdate, [nextUpdate],
 * [revokedCertificates], [extensions] }, signatureAlgorithm, signature } (RFC 5280, section 5.1).
 *
 * @throws RangeError
 */
export function crlFieldsOf(der: Uint8Array): CrlFields {
  const outer = nodeAt(der, 0)
  const [tbs, algorithm, signature, more] = childrenOf(der, outer)
  if (!tbs || !algorithm || signature?.tag !== BIT_STRING || more || outer.to !== der.length) throw notAList()
  const fields = childrenOf(der, tbs)
  if (fields[0]?.tag === INTEGER) fields.shift()
  const [innerAlgorithm, issuer, thisUpdate] = fields.splice(0, 3)
  if (innerAlgorithm?.tag !== SEQUENCE || issuer?.tag !== SEQUENCE || !thisUpdate) throw notAList()
  const take = (fits: (node: DerNode) => boolean) =>
    (fields[0] && fits(fields[0]) ? fields.shift() : null) ?? null
  const nextUpdate = take(isTime)
  const revoked = take(({ tag }) => tag === SEQUENCE)
  const explicit = take(({ tag }) => tag === CONTEXT_0)
  const [list, another] = explicit ? childrenOf(der, explicit) : []
  if (fields.length > 0 || another) throw notAList()
  const within = der.subarray(startOf(der, innerAlgorithm, tbs.from), innerAlgorithm.to)
  const named = der.subarray(tbs.to, algorithm.to)
  // The first byte is the number of unused bits.
  if (Buffer.compare(within, named) !== 0 || der[signature.from] !== 0) throw notAList()
  const extensions = byOid(list ? extensionsIn(der, list) : [])
  const key = extensions.get(AUTHORITY_KEY_ID)
  const point = extensions.get(ISSUING_DISTRIBUTION_POINT)
  return {
    issuer: canonicalName(der, issuer),
    issuerName: oneLine(printedName(der, issuer)),
    thisUpdate: dateOf(der, thisUpdate),
    nextUpdate: nextUpdate && dateOf(der, nextUpdate),
    signature: {
      algorithm: named,
      bytes: der.subarray(outer.from, tbs.to),
      signature: der.subarray(signature.from + 1, signature.to),
    },
    authorityKey: key ? authorityKeyIdOf(der, elementIn(der, key)) : null,
    extensions,
    distributionPoint: point ? elementIn(der, point) : null,
    revoked,
  }
}

/** Start of `node`, the first element at `from` or the second after a version. */
function startOf(der: Uint8Array, node: DerNode, from: number): number {
  const first = nodeAt(der, from)
  return first.from === node.from ? from : first.to
}

function dateOf(der: Uint8Array, node: DerNode): number {
  const time = timeOf(der, node)
  if (time === null) throw notAList()
  return time
}

/** Maximum number of cached extension lists: many entries share one (reason codes, some with a date). */
const MAX_KNOWN = 1_000
const NONE: Extensions = new Map()

/**
 * Yields the entries one by one, because a list can have half a million.
 *
 * @throws RangeError
 */
export function* entriesOf(der: Uint8Array, { revoked }: CrlFields): Generator<CrlEntry> {
  if (!revoked) return
  const known = new Map<string, Extensions>()
  for (let at = revoked.from; at < revoked.to; ) {
    const entry = expectTag(der, nodeAt(der, at), SEQUENCE)
    at = entry.to
    const serial = expectTag(der, nodeAt(der, entry.from), INTEGER)
    const date = nodeAt(der, serial.to)
    if (!isTime(date) || at > revoked.to) throw notAList()
    if (date.to === entry.to) {
      yield { serial, extensions: NONE }
      continue
    }
    const bytes = contentOf(der, { ...entry, from: date.to }).toString('latin1')
    const extensions = known.get(bytes) ?? entryExtensions(der, date.to, entry.to)
    if (known.size < MAX_KNOWN) known.set(bytes, extensions)
    yield { serial, extensions }
  }
}

function entryExtensions(der: Uint8Array, from: number, to: number): Extensions {
  const list = expectTag(der, nodeAt(der, from), SEQUENCE)
  if (list.to !== to) throw notAList()
  return byOid(extensionsIn(der, list))
}

/**
 * Whether an entry removes a certificate that an earlier entry added.
 *
 * @throws RangeError
 */
export function isRemoval(der: Uint8Array, { extensions }: CrlEntry): boolean {
  const extension = extensions.get(REASON_CODE)
  if (!extension) return false
  const reason = elementIn(der, extension)
  if (reason.tag !== ENUMERATED || reason.to - reason.from !== 1) throw notAList()
  return der[reason.from] === REMOVE_FROM_CRL
}

/** Whether a list is valid at this time. */
export function isCurrent(
  { thisUpdate, nextUpdate }: Pick<CrlFields, 'thisUpdate' | 'nextUpdate'>,
  now: number,
): boolean {
  return thisUpdate <= now && (nextUpdate === null || nextUpdate >= now)
}

function notAList(): RangeError {
  return new RangeError('not a revocation list')
}
