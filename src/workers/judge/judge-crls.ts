import { X509Certificate } from 'node:crypto'

import { isoTime } from '../base/iso-time.js'
import { namesKey } from '../formats/authority-key-id.js'
import { isCurrent } from '../formats/crl-fields.js'
import { type Issuer, readIssuer } from '../formats/issuer.js'
import { type SignatureVerdict, verifySignature } from '../formats/signature.js'
import { type Crl, type CrlScope, coverageOf, parseCrl } from '../parse/crl.js'
import type { JudgedAuthority, TrustBlock } from '../parse/trust-blocks.js'
import type { Findings } from '../problems/findings.js'
import type { Policy } from '../protocol/material.js'

/**
 * While revocation lists are loaded, OpenSSL refuses every client whose CA has no usable list: Node sets
 * `X509_V_FLAG_CRL_CHECK_ALL` and no flag for deltas or extended lists. The checks follow `get_crl_score`, `check_crl`
 * and `cert_crl` in crypto/x509/x509_vfy.c, for the lists of every trust anchor.
 *
 * @param found collects what makes a list unusable in itself.
 * @param requesting collects findings that concern only servers that request client certificates.
 * @returns the lists that OpenSSL uses.
 */
export function judgeCrls(
  blocks: readonly TrustBlock[],
  authorities: readonly JudgedAuthority[],
  policy: Policy,
  found: Findings,
  requesting: Findings,
): readonly Crl[] {
  if (blocks.length === 0) return []
  const crls = blocks.flatMap((block) => found.attempt(() => parseCrl(block)) ?? [])
  const usable = crls.filter((crl) => isUsable(crl, found))
  judgeDates(usable, policy, found)
  const byName = groupedByName(authorities)
  if (signatureChecks(usable, byName) > MAX_SIGNATURE_CHECKS) {
    const message = `too many revocation lists and trust anchors share a name: more than ${MAX_SIGNATURE_CHECKS} signatures to check`
    found.refuse('CRL_INVALID', message, blocks[0]?.path)
    return usable
  }
  judgeSigners(usable, byName, authorities, found, requesting)
  return usable
}

/** Finds anchors without a list, and lists that do not cover their anchor completely. */
function judgeSigners(
  usable: readonly Crl[],
  byName: ReadonlyMap<string, readonly JudgedAuthority[]>,
  authorities: readonly JudgedAuthority[],
  found: Findings,
  requesting: Findings,
): void {
  const own = new Map<JudgedAuthority, Crl[]>()
  let foreign = 0
  for (const crl of usable) {
    const named = byName.get(crl.issuer)
    if (!named) foreign++
    for (const authority of named ? signersOf(crl, named, requesting) : []) {
      own.set(authority, [...(own.get(authority) ?? []), crl])
    }
  }
  if (found.refused || requesting.refused || authorities.length === 0) return
  const served = authorities.filter((authority) => own.has(authority))
  if (served.length < authorities.length) judgeMissing(authorities, own, requesting)
  // Clients of an intermediate that is not an anchor need a list of that intermediate.
  const mayBeBelow = foreign > 0 || authorities.some(({ facts }) => facts.issuer !== null)
  for (const authority of served) {
    judgeCoverage(authority, own.get(authority) as Crl[], mayBeBelow, requesting)
  }
}

/** Each check parses an anchor and verifies a signature: at least 0.2 ms. */
const MAX_SIGNATURE_CHECKS = 4096

/** Every list is compared with every anchor of its issuer's name. */
function signatureChecks(
  crls: readonly Crl[],
  byName: ReadonlyMap<string, readonly JudgedAuthority[]>,
): number {
  return crls.reduce((sum, { issuer }) => sum + (byName.get(issuer)?.length ?? 0), 0)
}

function isUsable({ unusable, block: { what, path } }: Crl, found: Findings): boolean {
  if (unusable === null) return true
  found.refuse('CRL_UNUSABLE', `${what} cannot be used: ${unusable}`, path)
  return false
}

/** An outdated list is harmless next to a current one. */
function judgeDates(crls: readonly Crl[], policy: Policy, found: Findings): void {
  const now = Date.now()
  const covered = new Set(crls.filter((crl) => isCurrent(crl, now)).map(coverageOf))
  for (const crl of crls) {
    if (covered.has(coverageOf(crl))) continue
    const { thisUpdate, nextUpdate, block } = crl
    const { what, path } = block
    if (nextUpdate !== null && nextUpdate < now) {
      const message = `${what} expired on ${isoTime(nextUpdate)}: every client of its CA would be refused`
      found.judge(policy.expired, 'CRL_EXPIRED', message, path)
    }
    if (thisUpdate > now) {
      const verdict = thisUpdate - policy.clockSkewSeconds * 1000 > now ? policy.notYetValid : 'warn'
      const message = `${what} is not valid before ${isoTime(thisUpdate)}: every client of its CA would be refused`
      found.judge(verdict, 'CRL_NOT_YET_VALID', message, path)
    }
  }
}

/**
 * The anchors, among those with the list's issuer name, from which OpenSSL would accept the list. A CA with a new key
 * keeps its name.
 */
function signersOf(crl: Crl, named: readonly JudgedAuthority[], requesting: Findings): JudgedAuthority[] {
  const { authorityKey, block, signature } = crl
  const [first] = named as [JudgedAuthority, ...JudgedAuthority[]]
  const refuse = (why: string) => {
    const message = `${block.what} ${why}: every client of its CA would be refused`
    requesting.refuse('CRL_INVALID', message, block.path)
    return []
  }
  const keyed = named.filter((one) => authorityKey === null || namesKey(authorityKey, issuerOf(one)))
  if (keyed.length === 0) return refuse(`names a different key than that of ${first.facts.subject}`)
  const verdicts = new Map<JudgedAuthority, SignatureVerdict>()
  for (const one of keyed) {
    verdicts.set(one, verifySignature(signature, new X509Certificate(one.block.pem).publicKey))
  }
  const signers = keyed.filter((one) => verdicts.get(one) === 'valid')
  if (signers.length > 0) {
    const allowed = signers.filter((one) => issuerOf(one).signsLists)
    return allowed.length > 0
      ? allowed
      : refuse(`was issued by ${first.facts.subject}, whose key usage lacks cRLSign`)
  }
  if ([...verdicts.values()].includes('unknown')) {
    return refuse('has a signature of a kind that cannot be checked')
  }
  return refuse(`was not signed by ${first.facts.subject}`)
}

function judgeMissing(
  authorities: readonly JudgedAuthority[],
  own: ReadonlyMap<JudgedAuthority, unknown>,
  requesting: Findings,
): void {
  const without = authorities.find((authority) => !own.has(authority)) as JudgedAuthority
  const message = `no revocation list of ${without.facts.subject}: while lists are configured, its clients are refused`
  if (own.size > 0) requesting.judge('warn', 'CRL_MISSING', message)
  else requesting.refuse('CRL_MISSING', message, without.block.path)
}

/** Lists may divide the certificates of a CA; OpenSSL needs one that covers each certificate of a chain. */
function judgeCoverage(
  { block, facts }: JudgedAuthority,
  crls: readonly Crl[],
  mayBeBelow: boolean,
  requesting: Findings,
): void {
  const issuer = issuerOf({ block })
  const what = crls.map((crl) => crl.block.what).join(' and ')
  const path = crls[0]?.block.path
  // The chain includes the CA itself, for which OpenSSL also needs a list.
  if (issuer.selfSigned && !crls.some(({ scope }) => coversAnchor(scope, issuer))) {
    const message = `${what} cannot be used: it does not cover ${facts.subject} itself, so OpenSSL refuses every client of this CA`
    requesting.refuse('CRL_UNUSABLE', message, path)
    return
  }
  const forClients = crls.filter(({ scope }) => scope.holds !== 'ca')
  if (forClients.some(({ scope }) => scope.distributionPoint === null)) return
  if (forClients.length > 0) {
    const message = `${what} cover only clients of ${facts.subject} whose certificates name the same distribution point; others are refused`
    requesting.judge('warn', 'CRL_UNUSABLE', message, path)
    return
  }
  const message = `${what} cover only CAs below ${facts.subject}: clients with a certificate from it are refused`
  if (mayBeBelow) requesting.judge('warn', 'CRL_UNUSABLE', message, path)
  else requesting.refuse('CRL_UNUSABLE', message, path)
}

/** `crl_crldp_check`, for a known certificate. */
function coversAnchor({ holds, distributionPoint }: CrlScope, issuer: Issuer): boolean {
  if (holds === (issuer.ca === 'ca' ? 'user' : 'ca')) return false
  return (
    distributionPoint === null || distributionPoint.some((name) => issuer.distributionPoints.includes(name))
  )
}

const issuers = new WeakMap<Uint8Array, Issuer>()

function issuerOf({ block: { der } }: Pick<JudgedAuthority, 'block'>): Issuer {
  const issuer = issuers.get(der) ?? readIssuer(der)
  issuers.set(der, issuer)
  return issuer
}

function groupedByName(authorities: readonly JudgedAuthority[]): Map<string, JudgedAuthority[]> {
  const groups = new Map<string, JudgedAuthority[]>()
  for (const one of authorities) {
    const { canonicalName } = one.facts
    groups.set(canonicalName, [...(groups.get(canonicalName) ?? []), one])
  }
  return groups
}
