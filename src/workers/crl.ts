import { createSecureContext } from 'node:tls'

import { type AuthorityKeyId, authorityKeyIdOf } from './authority-key-id.js'
import { childrenOf, type DerNode, isTime, nodeAt, timeOf } from './der.js'
import { fullNamesOf } from './issuer.js'
import { canonicalName } from './name.js'
import { workingOn } from './progress.js'
import { reading } from './reading.js'
import { releaseContext } from './release-context.js'
import { readRevocations } from './revocations.js'
import type { TrustBlock } from './trust.js'
import { type ExtensionNode, extensionsIn } from './x509.js'

/** What of a revocation list decides which clients of its CA OpenSSL accepts while it is loaded. */
export interface Crl {
  readonly block: TrustBlock
  /** In canonical form. */
  readonly issuer: string
  readonly thisUpdate: number
  readonly nextUpdate: number | null
  readonly authorityKey: AuthorityKeyId | null
  readonly signature: SignedBytes
  readonly scope: CrlScope
  /** Why OpenSSL, as Node sets it up, never uses the list, or not for what it says; `null` if it does. */
  readonly unusable: string | null
}

/** Bytes, and what signed them. */
export interface SignedBytes {
  /** AlgorithmIdentifier as DER. */
  readonly algorithm: Uint8Array
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

/** The certificates that a list is about (RFC 5280, section 5.2.5). */
export interface CrlScope {
  readonly holds: 'all' | 'user' | 'ca'
  /** The distribution point by its full names, DER in base64; `null` for a list that is not bound to one. */
  readonly distributionPoint: readonly string[] | null
}

/** @throws ProblemError `CRL_INVALID` */
export function parseCrl(block: TrustBlock): Crl {
  const { der, pem, path, what } = block
  workingOn(path)
  return reading('CRL_INVALID', `${what} is damaged`, path, () => {
    const fields = crlFieldsOf(der)
    const { thisUpdate, nextUpdate, revoked } = fields
    const extensions = fields.extensions ? extensionsIn(der, fields.extensions) : []
    assertOnce(extensions)
    const point = extensions.find(({ oid }) => oid === ISSUING_DISTRIBUTION_POINT)
    const scope = point ? readScope(der, contentOf(der, point)) : { ...WHOLE, unusable: null }
    const key = extensions.find(({ oid }) => oid === AUTHORITY_KEY_ID)
    const entries = revoked ? entriesFlaw(der, revoked) : null
    releaseContext(createSecureContext({ ca: [], crl: pem }))
    // A list that cannot be read could not be applied to open connections.
    readRevocations(der)
    return {
      block,
      issuer: canonicalName(der, fields.issuer),
      thisUpdate: dateOf(der, thisUpdate),
      nextUpdate: nextUpdate ? dateOf(der, nextUpdate) : null,
      authorityKey: key ? authorityKeyIdOf(der, contentOf(der, key)) : null,
      signature: signatureOf(der, fields),
      scope,
      unusable: extensionsFlaw(extensions) ?? scope.unusable ?? entries,
    }
  })
}

interface CrlFields {
  readonly outer: DerNode
  readonly tbs: DerNode
  readonly innerAlgorithm: DerNode
  readonly algorithm: DerNode
  readonly signature: DerNode
  readonly issuer: DerNode
  readonly thisUpdate: DerNode
  readonly nextUpdate: DerNode | null
  readonly revoked: DerNode | null
  readonly extensions: DerNode | null
}

/**
 * CertificateList ::= SEQUENCE { tbsCertList { [version], signature, issuer, thisUpdate, [nextUpdate],
 * [revokedCertificates], [extensions] }, signatureAlgorithm, signature } (RFC 5280, section 5.1).
 *
 * @throws RangeError
 */
function crlFieldsOf(der: Uint8Array): CrlFields {
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
  const explicit = take(({ tag }) => tag === EXTENSIONS)
  const [extensions, another] = explicit ? childrenOf(der, explicit) : []
  if (fields.length > 0 || another) throw notAList()
  return {
    ...{ outer, tbs, innerAlgorithm, algorithm, signature, issuer, thisUpdate, nextUpdate, revoked },
    extensions: extensions ?? null,
  }
}

function signatureOf(
  der: Uint8Array,
  { outer, tbs, innerAlgorithm, algorithm, signature }: CrlFields,
): SignedBytes {
  const within = der.subarray(startOf(der, innerAlgorithm, tbs.from), innerAlgorithm.to)
  const named = der.subarray(tbs.to, algorithm.to)
  // The number of unused bits comes first.
  if (Buffer.compare(within, named) !== 0 || der[signature.from] !== 0) throw notAList()
  return {
    algorithm: named,
    bytes: der.subarray(outer.from, tbs.to),
    signature: der.subarray(signature.from + 1, signature.to),
  }
}

/** Where the element begins that comes first, or second after a version, in what begins at `from`. */
function startOf(der: Uint8Array, node: DerNode, from: number): number {
  const first = nodeAt(der, from)
  return first.from === node.from ? from : first.to
}

const DELTA_INDICATOR = '2.5.29.27'
const ISSUING_DISTRIBUTION_POINT = '2.5.29.28'
const CERTIFICATE_ISSUER = '2.5.29.29'
const AUTHORITY_KEY_ID = '2.5.29.35'
const REASON_CODE = '2.5.29.21'
/** Extensions that OpenSSL takes into account even where they are critical (`crl_cb` in crypto/x509/x_crl.c). */
const HANDLED = new Set([DELTA_INDICATOR, ISSUING_DISTRIBUTION_POINT, AUTHORITY_KEY_ID])

function extensionsFlaw(extensions: readonly ExtensionNode[]): string | null {
  if (extensions.some(({ oid }) => oid === DELTA_INDICATOR)) {
    return 'it is a delta list, which OpenSSL does not add to the complete one'
  }
  const unknown = extensions.find(({ oid, critical }) => critical && !HANDLED.has(oid))
  return unknown ? `its critical extension ${unknown.oid} is unknown to OpenSSL` : null
}

const WHOLE: CrlScope = { holds: 'all', distributionPoint: null }

/**
 * IssuingDistributionPoint ::= SEQUENCE { distributionPoint [0], onlyContainsUserCerts [1], onlyContainsCACerts [2],
 * onlySomeReasons [3], indirectCRL [4], onlyContainsAttributeCerts [5] }. An empty one, and a restriction that is
 * written out as FALSE, are no DER; versions of OpenSSL differ in what they make of them.
 */
function readScope(der: Uint8Array, node: DerNode): CrlScope & { unusable: string | null } {
  if (node.tag !== SEQUENCE || node.from === node.to) throw notAList()
  const fields = new Map<number, DerNode>()
  for (const field of childrenOf(der, node)) {
    const isFlag = FLAGS.has(field.tag)
    if (fields.has(field.tag) || (!isFlag && field.tag !== POINT && field.tag !== SOME_REASONS))
      throw notAList()
    if (isFlag && (field.to - field.from !== 1 || der[field.from] !== 0xff)) throw notAList()
    fields.set(field.tag, field)
  }
  const has = (tag: number) => fields.has(tag)
  const holds = has(ONLY_USER) ? 'user' : has(ONLY_CA) ? 'ca' : 'all'
  const distributionPoint = has(POINT) ? fullNamesOf(der, fields.get(POINT)) : null
  return { holds, distributionPoint, unusable: pointFlaw(has) }
}

function pointFlaw(has: (tag: number) => boolean): string | null {
  if (has(INDIRECT)) return 'it is an indirect list'
  if (has(SOME_REASONS)) return 'it covers only some reasons for a revocation'
  if (has(ONLY_ATTRIBUTE)) return 'it covers attribute certificates only'
  return has(ONLY_USER) && has(ONLY_CA) ? 'it excludes every certificate' : null
}

const POINT = 0xa0
const ONLY_USER = 0x81
const ONLY_CA = 0x82
const SOME_REASONS = 0x83
const INDIRECT = 0x84
const ONLY_ATTRIBUTE = 0x85
const FLAGS = new Set([ONLY_USER, ONLY_CA, INDIRECT, ONLY_ATTRIBUTE])

/** What in the entries makes the list useless. Lists have up to hundreds of thousands, most with a reason alone. */
function entriesFlaw(der: Uint8Array, revoked: DerNode): string | null {
  const harmless = new Set<string>()
  for (let at = revoked.from; at < revoked.to; ) {
    const entry = nodeAt(der, at)
    at = entry.to
    const serial = nodeAt(der, entry.from)
    const date = nodeAt(der, serial.to)
    if (entry.tag !== SEQUENCE || serial.tag !== INTEGER || !isTime(date) || at > revoked.to) throw notAList()
    if (date.to === entry.to) continue
    const bytes = Buffer.from(der.buffer, der.byteOffset + date.to, entry.to - date.to).toString('latin1')
    if (harmless.has(bytes)) continue
    const list = nodeAt(der, date.to)
    if (list.tag !== SEQUENCE || list.to !== entry.to) throw notAList()
    const flaw = entryFlaw(der, extensionsIn(der, list))
    if (flaw !== null) return flaw
    if (harmless.size < MOST_HARMLESS) harmless.add(bytes)
  }
  return null
}

/** The reason codes, some with one of many dates. */
const MOST_HARMLESS = 1_000
const REMOVE_FROM_CRL = 8

function entryFlaw(der: Uint8Array, extensions: readonly ExtensionNode[]): string | null {
  assertOnce(extensions)
  for (const extension of extensions) {
    const { oid, critical } = extension
    if (oid === CERTIFICATE_ISSUER)
      return 'its entries name another issuer, as only those of an indirect list may'
    if (critical) return `the critical extension ${oid} of an entry is unknown to OpenSSL`
    if (oid !== REASON_CODE) continue
    const reason = contentOf(der, extension)
    if (reason.tag !== ENUMERATED || reason.to - reason.from !== 1) throw notAList()
    if (der[reason.from] === REMOVE_FROM_CRL) return 'an entry is to be removed, as only a delta list may say'
  }
  return null
}

/** OpenSSL reads an extension that comes twice as one that is not there. */
function assertOnce(extensions: readonly ExtensionNode[]): void {
  if (new Set(extensions.map(({ oid }) => oid)).size < extensions.length) throw notAList()
}

/** The one element in an extension's OCTET STRING. */
function contentOf(der: Uint8Array, { value }: ExtensionNode): DerNode {
  const node = nodeAt(der, value.from)
  if (node.to !== value.to) throw notAList()
  return node
}

function dateOf(der: Uint8Array, node: DerNode): number {
  const time = timeOf(der, node)
  if (time === null) throw notAList()
  return time
}

function notAList(): RangeError {
  return new RangeError('not a revocation list')
}

const INTEGER = 0x02
const BIT_STRING = 0x03
const ENUMERATED = 0x0a
const SEQUENCE = 0x30
const EXTENSIONS = 0xa0
