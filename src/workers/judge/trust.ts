import { hash } from 'node:crypto'

import { exact } from '../base/exact.js'
import { type Problem, ProblemError } from '../base/problem.js'
import { isPkcs7 } from '../formats/der-kind.js'
import { derOf, type PemBlock, splitPem } from '../formats/pem.js'
import { pemHint, pkcs7Hint } from '../formats/pem-hints.js'
import { nameEntryBytes, subjectOf } from '../formats/x509.js'
import type { AuthorityFacts, AuthorityList } from '../parse/authorities.js'
import { damagedCertificate, describe, isCertificateBlock } from '../parse/certificates.js'
import { readPeerRules } from '../parse/peers.js'
import type { AuthorityBlock, JudgedAuthority, TrustBlock, TrustBlocks } from '../parse/trust-blocks.js'
import type { Findings } from '../problems/findings.js'
import { markWork } from '../progress/progress.js'
import type { TrustEnds } from '../protocol/ends.js'
import type { MaterialSources } from '../protocol/material.js'
import type { PreparedTrust, PrepareTask, TrustDomains } from '../protocol/prepare.js'
import { type Role, rolesWhere, TRUST_ROLES } from '../protocol/roles.js'
import { assertFilled } from '../read/emptiness.js'
import type { MaterialSet } from '../read/material-reader.js'
import { anchorsInForce } from './anchors-in-force.js'
import { judgeAuthorities } from './judge-authorities.js'
import { judgeCrls } from './judge-crls.js'
import { packRules, unpackRules } from './peer-rules.js'
import { publicRootsInForce } from './public-roots-in-force.js'
import { trustEndsOf } from './trust-ends.js'

/** Whether a changed item is, or was, a part of the trust. @param changed - the ids of changed items. */
export function trustChanged(set: MaterialSet, changed: readonly string[]): boolean {
  const idsOf = (roles: ReadonlySet<Role>) =>
    new Set([...roles].flatMap((role) => set.itemsOf(role).map(({ id }) => id)))
  const [trust, others] = [idsOf(TRUST_ROLES), idsOf(OTHER_ROLES)]
  // A removed item was a trust anchor: all other items are named in the options.
  return changed.some((id) => trust.has(id) || !others.has(id))
}

const OTHER_ROLES = rolesWhere(({ trust }) => !trust)

/**
 * The distinct blocks of the CA and CRL files, and the rules about peers. Finds `CA_EMPTY`, `CA_INVALID`, `CRL_INVALID`,
 * `PEM_INVALID`, `PEERS_INVALID` and `PEERS_EMPTY`.
 *
 * @param known anchors in service, whose subjects are not read again.
 * @param rulesGiven the option `peers`.
 */
export function readTrust(
  set: MaterialSet,
  known: AuthorityList,
  found: Findings,
  rulesGiven: MaterialSources['peerRules'] = null,
): TrustBlocks {
  const blocksOf = <T extends TrustBlock>(role: Role, read: (bytes: Buffer, path: string) => T[]) =>
    set.itemsOf(role).flatMap(({ id, bytes, domain }) => {
      const blocks = found.attempt(() => {
        markWork(id)
        return read(bytes, id)
      })
      return (blocks ?? []).map((block) => ({ block, domain }))
    })
  const readAnchors = (bytes: Buffer, path: string) => authorityBlocks(bytes, path, known)
  const readPublic = (bytes: Buffer, path: string) => publicRootBlocks(bytes, path, known)
  // Last, so that an anchor which is a public root too is treated as the user's own.
  const anchors = [
    ...blocksOf('public-ca', readPublic),
    ...blocksOf('ca', readAnchors),
    ...blocksOf('domain-ca', readAnchors),
  ]
  const hasPublicRoots = set.itemsOf('public-ca').length > 0
  const authorities = distinct(anchors.map(({ block }) => block))
  const revocationLists = distinct(blocksOf('crl', crlBlocks).map(({ block }) => block))
  const domains = domainsOf(anchors)
  const { anchorPlaces } = set
  if (anchorPlaces.length > 0 && set.itemsOf('ca').length === 0) {
    found.refuse('CA_EMPTY', `${anchorPlaces.join(' ')} holds no CA file`, anchorPlaces[0])
  }
  const rules = rulesIn(set, rulesGiven, found)
  const peerRules = rules && exact(packRules(rules))
  // The origin is a part: equal anchors verify clients if they are the user's own, and never if they are public roots.
  const origins = authorities.map(({ digest, isPublic }) => (isPublic ? `public ${digest}` : digest))
  const digests = [...origins, ...revocationLists.map(({ digest }) => digest)].sort()
  // An anchor that moves to another domain changes the trust, and ends its sessions. So do other rules about peers.
  const parts = [
    ...digests,
    ...(hasPublicRoots ? ['public roots'] : []),
    ...(domains ? [JSON.stringify(domains)] : []),
    ...(peerRules ? [`peers ${hash('sha256', peerRules)}`] : []),
  ]
  const facts = {
    digest: parts.length > 0 ? hash('sha256', parts.join('\n')) : null,
    authorities: authorities.length,
    revocationLists: revocationLists.length,
    ...(peerRules && { peerRules: unpackRules(peerRules).length }),
  }
  return {
    authorities,
    revocationLists,
    ...(domains && { domains }),
    ...(peerRules && { peerRules }),
    ...(hasPublicRoots && { publicRoots: true as const }),
    facts,
  }
}

/** `null` without the option; empty after a problem. */
function rulesIn(
  set: MaterialSet,
  given: MaterialSources['peerRules'],
  found: Findings,
): readonly string[] | null {
  if (given === null) return null
  if ('packed' in given) return unpackRules(given.packed)
  const files = set.itemsOf('peers')
  return files.flatMap(({ id, bytes }) => found.attempt(() => readPeerRules(bytes, id)) ?? [])
}

/** `null` if no item names a domain. In one order, so that equal domains have equal digests. */
function domainsOf(
  anchors: readonly { block: TrustBlock; domain: string | undefined }[],
): TrustDomains | null {
  const digests = new Map<string, Set<string>>()
  for (const { block, domain } of anchors) {
    if (domain !== undefined) digests.set(domain, (digests.get(domain) ?? new Set()).add(block.digest))
  }
  if (digests.size === 0) return null
  const sorted = [...digests].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(sorted.map(([domain, own]) => [domain, [...own].sort()]))
}

/**
 * Parses every new trust anchor and every revocation list, and reports how clients would treat them.
 *
 * @param known anchors in service; parsing a certificate takes 0.1 ms on OpenSSL 3.0.
 * @param requesting collects findings that concern only servers that request client certificates.
 * @returns the blocks without broken anchors, the facts of each anchor, and when anchors and lists end.
 */
export function judgeTrust(
  blocks: TrustBlocks,
  known: AuthorityList,
  { policy, context }: Pick<PrepareTask, 'policy' | 'context'>,
  found: Findings,
  requesting: Findings,
): { blocks: TrustBlocks; authorities: AuthorityFacts[]; ends: TrustEnds } {
  const partialChain = context.allowPartialTrustChain === true
  if (blocks.publicRoots) requesting.refuse('OPTIONS_INVALID', PUBLIC_ROOTS)
  const own = anchorsInForce(blocks.authorities.filter(isOwn), known, policy, partialChain, found)
  const authorities = [...own, ...publicRootsInForce(blocks, known, partialChain, found)]
  judgeAuthorities(authorities, policy, partialChain, found, requesting)
  const names = authorities.reduce((sum, { block }) => sum + nameEntryBytes(block.subject), 0)
  if (names > MAX_NAMES_BYTES) {
    const message =
      `the names of the ${authorities.length} trust anchors take ${names} bytes, more than the ${MAX_NAMES_BYTES} that ` +
      'fit into a handshake: every client would be refused'
    requesting.refuse('CA_NAMES_TOO_LONG', message)
  }
  const lists = judgeCrls(blocks.revocationLists, authorities, policy, found, requesting)
  return {
    blocks: withAuthorities(blocks, authorities),
    authorities: authorities.map(({ facts }) => facts),
    ends: trustEndsOf(own, lists),
  }
}

const PUBLIC_ROOTS =
  "`ca` has the value 'system' or 'default', and public roots never verify clients: a server that requests client certificates " +
  'needs an engine whose `ca` names only the files of your own CAs'

function isOwn({ isPublic }: AuthorityBlock): boolean {
  return !isPublic
}

/** Keeps the digest of the files, which detects changes. */
function withAuthorities(blocks: TrustBlocks, authorities: readonly JudgedAuthority[]): TrustBlocks {
  const inForce = authorities.map(({ block }) => block)
  return { ...blocks, authorities: inForce, facts: { ...blocks.facts, authorities: inForce.length } }
}

/** Without known anchors: OpenSSL has accepted those, with the same options. */
export function withoutKnown(blocks: TrustBlocks, known: AuthorityList): TrustBlocks {
  return { ...blocks, authorities: blocks.authorities.filter(({ digest }) => !known.byDigest.has(digest)) }
}

/** The trust as loaded by the main thread; for `problems`, see {@link PreparedTrust.problems}. */
export function preparedTrust(
  { authorities, revocationLists, domains, peerRules, publicRoots }: TrustBlocks,
  ends: TrustEnds,
  problems: readonly Problem[] = [],
): PreparedTrust {
  const offsets = new Uint32Array(authorities.length)
  authorities.reduce((end, { pem }, i) => {
    offsets[i] = end + pem.length
    return end + pem.length
  }, 0)
  const pem = exact(authorities.map((block) => block.pem).join(''))
  return {
    authorities: authorities.length === 0 ? null : { pem, ends: offsets },
    revocationLists: revocationLists.map((block) => exact(block.pem)),
    ...(domains && { domains }),
    ...(peerRules && { peerRules }),
    ...(publicRoots && { publicRoots }),
    ends,
    problems,
  }
}

/**
 * The list of CA names has a two-byte length (RFC 5246, section 7.4.4; RFC 8446, section 4.2.4); TLS 1.3 puts other
 * extensions into the same field, so some room is left.
 */
const MAX_NAMES_BYTES = 64_000

function authorityBlocks(bytes: Buffer, path: string, known: AuthorityList): AuthorityBlock[] {
  return readableBlocks(bytes, path, known, subjectIn)
}

function readableBlocks(
  bytes: Buffer,
  path: string,
  known: AuthorityList,
  subject: (block: TrustBlock) => string,
): AuthorityBlock[] {
  assertFilled(bytes, path, 'CA_EMPTY')
  const blocks = splitPem(bytes, path)
  const certificates = blocks.filter(isCertificateBlock)
  if (certificates.length === 0) {
    const message = `${path} holds no CA certificate, but ${describe(blocks)}${pemHint(blocks, path)}; a pattern in "caDir" can leave it out`
    throw new ProblemError('CA_INVALID', message, path)
  }
  return certificates.map((block, i) => {
    const what = `certificate ${i + 1} of ${certificates.length} in ${path}`
    const read = trustBlock(block, what, path)
    return { ...read, subject: known.byDigest.get(read.digest)?.name ?? subject(read) }
  })
}

/** One damaged certificate of the operating system must not keep the others out of service: the checks leave it out. */
function publicRootBlocks(bytes: Buffer, path: string, known: AuthorityList): AuthorityBlock[] {
  return readableBlocks(bytes, path, known, (block) => {
    try {
      return subjectOf(block.der)
    } catch {
      return ''
    }
  }).map((block) => ({ ...block, isPublic: true }))
}

function crlBlocks(bytes: Buffer, path: string): TrustBlock[] {
  assertFilled(bytes, path, 'CRL_INVALID')
  const blocks = splitPem(bytes, path)
  const lists = blocks.filter(({ label }) => label === 'X509 CRL')
  if (lists.length === 0) {
    const message = `${path} holds no revocation list, but ${describe(blocks)}${pemHint(blocks, path)}`
    throw new ProblemError('CRL_INVALID', message, path)
  }
  return lists.map((block, i) => {
    const what = `revocation list ${i + 1} of ${lists.length} in ${path}`
    return trustBlock(block, what, path)
  })
}

function trustBlock({ pem }: PemBlock, what: string, path: string): TrustBlock {
  const der = derOf(pem)
  return { pem, der, digest: hash('sha256', der), path, what }
}

/** Issuers are looked up by name before the certificates are parsed. */
function subjectIn({ der, what, path }: TrustBlock): string {
  try {
    return subjectOf(der)
  } catch {
    throw damagedCertificate(what, path, isPkcs7(der) ? `it is PKCS#7; ${pkcs7Hint(path)}` : undefined)
  }
}

function distinct<T extends TrustBlock>(blocks: T[]): T[] {
  return [...new Map(blocks.map((block) => [block.digest, block])).values()]
}
