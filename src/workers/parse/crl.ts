import { createSecureContext } from 'node:tls'

import { releaseContext } from '../base/release-context.js'
import {
  AUTHORITY_KEY_ID,
  CERTIFICATE_ISSUER,
  type CrlEntry,
  type CrlFields,
  crlFieldsOf,
  entriesOf,
  ISSUING_DISTRIBUTION_POINT,
  isRemoval,
  REASON_CODE,
} from '../formats/crl-fields.js'
import { childrenOf, type DerNode } from '../formats/der.js'
import { SEQUENCE } from '../formats/der-tags.js'
import { fullNamesOf } from '../formats/issuer.js'
import { reading } from '../problems/reading.js'
import { markWork } from '../progress/progress.js'
import type { TrustBlock } from './trust-blocks.js'

/** The fields of a revocation list that decide which clients of its CA OpenSSL accepts while it is loaded. */
export interface Crl extends Omit<CrlFields, 'extensions' | 'distributionPoint' | 'revoked'> {
  readonly block: TrustBlock
  readonly scope: CrlScope
  /** Why OpenSSL, as configured by Node, ignores the list or part of its meaning; `null` if it does not. */
  readonly unusable: string | null
}

/** The certificates that a list covers (RFC 5280, section 5.2.5). */
export interface CrlScope {
  readonly holds: 'all' | 'user' | 'ca'
  /** Full names of the distribution point, DER in base64; `null` for a list without one. */
  readonly distributionPoint: readonly string[] | null
}

/** @throws ProblemError `CRL_INVALID` */
export function parseCrl(block: TrustBlock): Crl {
  const { der, pem, path, what } = block
  markWork(path)
  return reading('CRL_INVALID', `${what} is damaged`, path, () => {
    const list = crlFieldsOf(der)
    const { extensions, distributionPoint, revoked: _, ...fields } = list
    const scope = distributionPoint ? readScope(der, distributionPoint) : { ...WHOLE, unusable: null }
    const entries = entriesFlaw(der, list)
    releaseContext(createSecureContext({ ca: [], crl: pem }))
    return { block, ...fields, scope, unusable: extensionsFlaw(extensions) ?? scope.unusable ?? entries }
  })
}

/**
 * Identifies the certificates that a list covers: OpenSSL uses any current list of the same coverage. A CA with a new
 * key or partitioned lists needs a current list for each.
 */
export function coverageOf({ issuer, authorityKey, scope }: Crl): string {
  return JSON.stringify([issuer, authorityKey?.keyId ?? null, scope.holds, scope.distributionPoint])
}

const DELTA_INDICATOR = '2.5.29.27'
/** Extensions that OpenSSL handles even if critical (`crl_cb` in crypto/x509/x_crl.c). */
const HANDLED = new Set([DELTA_INDICATOR, ISSUING_DISTRIBUTION_POINT, AUTHORITY_KEY_ID])

function extensionsFlaw(extensions: CrlFields['extensions']): string | null {
  if (extensions.has(DELTA_INDICATOR)) {
    return 'it is a delta list, which OpenSSL does not add to the complete one'
  }
  const unknown = [...extensions.values()].find(({ oid, critical }) => critical && !HANDLED.has(oid))
  return unknown ? `its critical extension ${unknown.oid} is unknown to OpenSSL` : null
}

const WHOLE: CrlScope = { holds: 'all', distributionPoint: null }

/**
 * IssuingDistributionPoint ::= SEQUENCE { distributionPoint [0], onlyContainsUserCerts [1], onlyContainsCACerts [2],
 * onlySomeReasons [3], indirectCRL [4], onlyContainsAttributeCerts [5] }. An empty one and an explicit FALSE are not
 * DER; OpenSSL versions differ in their treatment.
 */
function readScope(der: Uint8Array, node: DerNode): CrlScope & { unusable: string | null } {
  if (node.tag !== SEQUENCE || node.from === node.to) throw notAScope()
  const fields = new Map<number, DerNode>()
  for (const field of childrenOf(der, node)) {
    const isFlag = FLAGS.has(field.tag)
    if (fields.has(field.tag) || (!isFlag && field.tag !== POINT && field.tag !== SOME_REASONS))
      throw notAScope()
    if (isFlag && (field.to - field.from !== 1 || der[field.from] !== 0xff)) throw notAScope()
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

function notAScope(): RangeError {
  return new RangeError('not an issuing distribution point')
}

/** Why the entries make the list unusable. All are read, because open connections are checked against them. */
function entriesFlaw(der: Uint8Array, list: CrlFields): string | null {
  let flaw: string | null = null
  for (const entry of entriesOf(der, list)) flaw ??= entryFlaw(der, entry)
  return flaw
}

function entryFlaw(der: Uint8Array, entry: CrlEntry): string | null {
  for (const { oid, critical } of entry.extensions.values()) {
    if (oid === CERTIFICATE_ISSUER)
      return 'its entries name another issuer, which only an indirect list may do'
    if (critical) return `the critical extension ${oid} of an entry is unknown to OpenSSL`
    if (oid === REASON_CODE && isRemoval(der, entry))
      return 'an entry is marked for removal, which only a delta list may do'
  }
  return null
}
