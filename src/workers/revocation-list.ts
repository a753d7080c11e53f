import { verify, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'

import { childrenOf, type DerNode, isTime, nodeAt, oidOf, timeOf } from './der.js'
import type { Findings } from './findings.js'
import { ProblemError } from './problem.js'
import { workingOn } from './progress.js'
import type { Policy } from './protocol.js'
import { releaseContext } from './release-context.js'
import { readRevocations } from './revocations.js'
import type { JudgedAuthority, TrustBlock } from './trust.js'
import { contentOf } from './x509.js'

/** What of a revocation list decides whether any client of its CA gets in. */
interface RevocationList {
  /** Base64 of the issuer's DER content. */
  readonly issuer: string
  readonly thisUpdate: number
  readonly nextUpdate: number | null
  readonly signed: SignedBytes
  readonly block: TrustBlock
}

interface SignedBytes {
  readonly algorithm: string
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

/**
 * While lists are loaded, OpenSSL refuses every client whose CA has none that is current and its own. `requesting` collects
 * what concerns only servers that request client certificates.
 */
export function judgeRevocationLists(
  blocks: readonly TrustBlock[],
  authorities: readonly JudgedAuthority[],
  policy: Policy,
  found: Findings,
  requesting: Findings,
): void {
  if (blocks.length === 0) return
  const lists = blocks.flatMap((block) => found.attempt(() => parseRevocationList(block)) ?? [])
  if (signatureChecks(lists, authorities) > MAX_SIGNATURE_CHECKS) {
    const path = (blocks[0] as TrustBlock).path
    const message = `too many revocation lists and trust anchors share a name: more than ${MAX_SIGNATURE_CHECKS} signatures to check`
    found.refuse('CRL_INVALID', message, path)
    return
  }
  const now = Date.now()
  const covered = new Set(lists.filter((list) => isCurrent(list, now)).map(({ issuer }) => issuer))
  for (const list of lists) {
    if (!covered.has(list.issuer)) judgeDates(list, now, policy, found)
    judgeSigner(list, authorities, requesting)
  }
  const issuers = new Set(lists.map(({ issuer }) => issuer))
  const without = authorities.find(({ block }) => !issuers.has(block.subject))
  if (without) {
    const message = `no revocation list of ${without.facts.subject}: while lists are configured, its clients are refused`
    requesting.judge('warn', 'CRL_MISSING', message)
  }
}

/** Each check parses an anchor and verifies a signature: 0.2 ms or more. */
const MAX_SIGNATURE_CHECKS = 4096

/** Every list is compared with every anchor that has the name of its issuer. */
function signatureChecks(lists: readonly RevocationList[], authorities: readonly JudgedAuthority[]): number {
  const anchors = new Map<string, number>()
  for (const { block } of authorities) anchors.set(block.subject, (anchors.get(block.subject) ?? 0) + 1)
  return lists.reduce((sum, { issuer }) => sum + (anchors.get(issuer) ?? 0), 0)
}

function isCurrent({ thisUpdate, nextUpdate }: RevocationList, now: number): boolean {
  return thisUpdate <= now && (nextUpdate === null || nextUpdate >= now)
}

function judgeDates(
  { thisUpdate, nextUpdate, block: { what, path } }: RevocationList,
  now: number,
  policy: Policy,
  found: Findings,
): void {
  if (nextUpdate !== null && nextUpdate < now) {
    const message = `${what} expired on ${iso(nextUpdate)}: every client of its CA would be refused`
    found.judge(policy.expired, 'CRL_EXPIRED', message, path)
  }
  if (thisUpdate > now) {
    const verdict = thisUpdate - policy.clockSkewSeconds * 1000 > now ? policy.notYetValid : 'warn'
    const message = `${what} is not valid before ${iso(thisUpdate)}: every client of its CA would be refused`
    found.judge(verdict, 'CRL_NOT_YET_VALID', message, path)
  }
}

/** A CA that was given a new key under its old name leaves lists behind that refuse all its clients. */
function judgeSigner(
  { issuer, signed, block: { what, path } }: RevocationList,
  authorities: readonly JudgedAuthority[],
  found: Findings,
): void {
  const named = authorities.filter(({ block }) => block.subject === issuer)
  const [first] = named
  if (!first || named.some(({ block }) => hasSigned(new X509Certificate(block.pem), signed))) return
  const message = `${what} was not signed by ${first.facts.subject}: every client of its CA would be refused`
  found.refuse('CRL_INVALID', message, path)
}

/** Digests of RSA (PKCS #1 v1.5), ECDSA and Ed25519 signatures; what is not listed here is left to OpenSSL. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.5': 'sha1',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.1': 'sha1',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
}

function hasSigned(authority: X509Certificate, { algorithm, bytes, signature }: SignedBytes): boolean {
  const digest = DIGESTS[algorithm]
  if (digest === undefined) return true
  try {
    return verify(digest, bytes, authority.publicKey, signature)
  } catch {
    // A key of another kind than the signature.
    return false
  }
}

const INTEGER = 0x02

function parseRevocationList(block: TrustBlock): RevocationList {
  const { der, pem } = block
  workingOn(block.path)
  try {
    releaseContext(createSecureContext({ ca: [], crl: pem }))
    // What cannot be read could not be applied to connections that are open.
    readRevocations(der)
    const { outer, tbs, algorithm, signature, issuer, thisUpdate, nextUpdate } = fieldsOf(der)
    return {
      issuer: contentOf(der, issuer),
      thisUpdate: dateOf(der, thisUpdate),
      nextUpdate: nextUpdate ? dateOf(der, nextUpdate) : null,
      signed: {
        algorithm: oidOf(der, nodeAt(der, algorithm.from)),
        bytes: der.subarray(outer.from, tbs.to),
        // After the number of unused bits.
        signature: der.subarray(signature.from + 1, signature.to),
      },
      block,
    }
  } catch {
    throw new ProblemError('CRL_INVALID', `${block.what} is damaged`, block.path)
  }
}

/**
 * CertificateList ::= SEQUENCE { tbsCertList { [version], signature, issuer, thisUpdate, [nextUpdate],
 * [revokedCertificates], [extensions] }, signatureAlgorithm, signature } (RFC 5280, section 5.1).
 */
function fieldsOf(der: Uint8Array) {
  const outer = nodeAt(der, 0)
  const [tbs, algorithm, signature] = childrenOf(der, outer) as [DerNode, DerNode, DerNode]
  const fields = childrenOf(der, tbs)
  const named = fields.slice(fields[0]?.tag === INTEGER ? 2 : 1)
  const [issuer, thisUpdate, next] = named as [DerNode, DerNode, ...DerNode[]]
  const nextUpdate = next && isTime(next) ? next : null
  return { outer, tbs, algorithm, signature, issuer, thisUpdate, nextUpdate }
}

function dateOf(der: Uint8Array, node: DerNode): number {
  const time = timeOf(der, node)
  if (time === null) throw new RangeError('no time')
  return time
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
