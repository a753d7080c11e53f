import { createHash, type X509Certificate } from 'node:crypto'

import { certificatesOf, describe, isCertificateBlock } from './certificates.js'
import { childrenOf, type DerNode, nodeAt, timeOf } from './der.js'
import { notAfterOf, oneLine } from './facts.js'
import type { FileSet } from './file-set.js'
import type { Findings } from './findings.js'
import { isSelfSigned } from './identity.js'
import { type PemBlock, splitPem } from './pem.js'
import { ProblemError } from './problem.js'
import type { Policy } from './protocol.js'
import { contentOf, subjectEntryBytes, subjectOf } from './x509.js'

/** Trust anchors and revocation lists as they stand in the files, not yet parsed. */
export interface TrustBlocks {
  readonly authorities: readonly TrustBlock[]
  readonly revocationLists: readonly TrustBlock[]
  /** SHA-256 over all of them, in no order; `null` without any. */
  readonly digest: string | null
}

interface TrustBlock {
  readonly pem: string
  readonly der: Buffer
  readonly digest: string
  readonly path: string
}

/** A trust store that was looked through. */
export interface Trust {
  readonly authorities: readonly X509Certificate[]
}

/**
 * The distinct blocks of the CA and CRL files. Cheap: what is unchanged since the last time need not be parsed.
 * Finds `CA_EMPTY`, `CA_INVALID`, `CRL_INVALID` and `PEM_INVALID`.
 */
export function readTrust(set: FileSet, wanted: boolean, found: Findings): TrustBlocks {
  const blocksOf = (role: 'ca' | 'crl', read: (bytes: Buffer, path: string) => TrustBlock[]) =>
    distinct(
      set.pathsOf(role).flatMap((path) => found.attempt(() => read(set.bytesOf(role, path), path)) ?? []),
    )
  const authorities = blocksOf('ca', authorityBlocks)
  const revocationLists = blocksOf('crl', crlBlocks)
  if (wanted && set.pathsOf('ca').length === 0) found.refuse('CA_EMPTY', 'the CA directory holds no file')
  const digests = [...authorities, ...revocationLists].map(({ digest }) => digest).sort()
  const digest = digests.length > 0 ? createHash('sha256').update(digests.join('\n')).digest('hex') : null
  return { authorities, revocationLists, digest }
}

/** Parses every trust anchor and revocation list and says what clients would make of them. */
export function judgeTrust(
  blocks: TrustBlocks,
  requestCert: boolean,
  policy: Policy,
  found: Findings,
): Trust {
  const authorities: X509Certificate[] = []
  for (const block of blocks.authorities) {
    const certificate = found.attempt(() => parseAuthority(block))
    if (!certificate) continue
    authorities.push(certificate)
    judgeAuthority(certificate, block.path, found)
  }
  const names = authorities.reduce((sum, certificate) => sum + subjectEntryBytes(certificate.raw), 0)
  if (requestCert && names > MAX_NAMES_BYTES) {
    const message =
      `the names of the ${authorities.length} trust anchors take ${names} bytes, more than the ${MAX_NAMES_BYTES} that ` +
      'fit into a handshake: every client would be refused'
    found.refuse('CA_NAMES_TOO_LONG', message)
  }
  judgeRevocationLists(blocks.revocationLists, authorities, requestCert, policy, found)
  return { authorities }
}

/**
 * The list of CA names has a two-byte length (RFC 5246, section 7.4.4; RFC 8446, section 4.2.4); TLS 1.3 puts other
 * extensions into the same field, so a little is left for them.
 */
const MAX_NAMES_BYTES = 64_000

function authorityBlocks(bytes: Buffer, path: string): TrustBlock[] {
  if (bytes.length === 0) throw new ProblemError('CA_EMPTY', `${path} is empty`, path)
  const blocks = splitPem(bytes, path)
  const certificates = blocks.filter(isCertificateBlock)
  if (certificates.length === 0) {
    const message = `${path} holds no CA certificate, but ${describe(blocks)}; a pattern in "caDir" can leave it out`
    throw new ProblemError('CA_INVALID', message, path)
  }
  return certificates.map((block) => trustBlock(block, path))
}

function crlBlocks(bytes: Buffer, path: string): TrustBlock[] {
  const blocks = splitPem(bytes, path)
  const lists = blocks.filter(({ label }) => label === 'X509 CRL')
  if (lists.length === 0) {
    throw new ProblemError('CRL_INVALID', `${path} holds no revocation list, but ${describe(blocks)}`, path)
  }
  return lists.map((block) => trustBlock(block, path))
}

function trustBlock({ pem }: PemBlock, path: string): TrustBlock {
  const der = Buffer.from(pem.slice(pem.indexOf('\n')), 'base64')
  return { pem, der, digest: createHash('sha256').update(der).digest('hex'), path }
}

function distinct(blocks: TrustBlock[]): TrustBlock[] {
  return [...new Map(blocks.map((block) => [block.digest, block])).values()]
}

function parseAuthority(block: TrustBlock): X509Certificate {
  const [certificate] = certificatesOf([{ label: 'CERTIFICATE', pem: block.pem }], block.path)
  return certificate as X509Certificate
}

function judgeAuthority(certificate: X509Certificate, path: string, found: Findings): void {
  const name = oneLine(certificate.subject)
  if (!certificate.ca) {
    // A certificate that signed itself can be an anchor for itself alone; any other one anchors nothing.
    const message = `${name} in ${path} is not a CA certificate`
    if (isSelfSigned(certificate))
      found.judge('warn', 'CA_INVALID', `${message}; it vouches for itself alone`, path)
    else found.refuse('CA_INVALID', message, path)
  }
  if (notAfterOf(certificate) < Date.now()) {
    found.judge(
      'warn',
      'CA_EXPIRED',
      `the trust anchor ${name} in ${path} expired on ${certificate.validTo}`,
      path,
    )
  }
}

function judgeRevocationLists(
  blocks: readonly TrustBlock[],
  authorities: readonly X509Certificate[],
  requestCert: boolean,
  policy: Policy,
  found: Findings,
): void {
  if (blocks.length === 0) return
  const covered = new Set<string>()
  for (const block of blocks) {
    const list = found.attempt(() => parseRevocationList(block))
    if (!list) continue
    covered.add(list.issuer)
    if (list.nextUpdate !== null && list.nextUpdate < Date.now()) {
      const since = new Date(list.nextUpdate).toISOString()
      const message = `a revocation list in ${block.path} expired on ${since}: every client of its CA would be refused`
      found.judge(policy.expired, 'CRL_EXPIRED', message, block.path)
    }
  }
  const without = requestCert
    ? authorities.find((authority) => !covered.has(subjectOf(authority.raw)))
    : undefined
  if (without) {
    const message = `no revocation list of ${oneLine(without.subject)}: while lists are configured, its clients are refused`
    found.judge('warn', 'CRL_MISSING', message)
  }
}

interface RevocationList {
  /** Base64 of the issuer's DER content. */
  readonly issuer: string
  readonly nextUpdate: number | null
}

/** CertificateList ::= SEQUENCE { tbsCertList { [version], signature, issuer, thisUpdate, [nextUpdate], ... } } (RFC 5280, 5.1). */
function parseRevocationList({ der, path }: TrustBlock): RevocationList {
  try {
    const [tbs] = childrenOf(der, nodeAt(der, 0)) as [DerNode]
    const fields = childrenOf(der, tbs)
    const [issuer, thisUpdate, nextUpdate] = fields.slice(fields[0]?.tag === 0x02 ? 2 : 1) as [
      DerNode,
      DerNode,
      DerNode,
    ]
    if (timeOf(der, thisUpdate) === null) throw new RangeError('no thisUpdate')
    return {
      issuer: contentOf(der, issuer),
      nextUpdate: nextUpdate ? timeOf(der, nextUpdate) : null,
    }
  } catch {
    throw new ProblemError('CRL_INVALID', `a revocation list in ${path} is damaged`, path)
  }
}
