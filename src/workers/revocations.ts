import { childrenOf, type DerNode, isTime, nodeAt, oidOf, timeOf } from './der.js'
import { canonicalName } from './name.js'
import { contentOf } from './x509.js'

/** What a revocation list says, as far as it decides about certificates that were accepted before. */
export interface Revocations {
  /** The CA, see {@link canonicalName}. */
  readonly issuer: string
  /** Names the key of the CA, in base64; `null` where the list does not say. */
  readonly authorityKeyId: string | null
  /** The issuing distribution point in base64: lists of one CA can share its certificates among them. Empty without one. */
  readonly scope: string
  readonly thisUpdate: number
  readonly nextUpdate: number | null
  /** For each issuer the serial numbers that are revoked, as base64 of their content. */
  readonly revoked: ReadonlyMap<string, ReadonlySet<string>>
}

/**
 * Reads a list. Entries of an indirect list belong to the issuer that they name, or that the entry before them names
 * (RFC 5280, section 5.3.3).
 *
 * @throws RangeError for what is no revocation list in DER.
 */
export function readRevocations(der: Uint8Array): Revocations {
  const [tbs] = childrenOf(der, nodeAt(der, 0))
  const fields = tbs ? childrenOf(der, tbs) : []
  // [version], signature, issuer, thisUpdate, [nextUpdate], [revokedCertificates], [extensions]
  const [, issuerNode, thisUpdateNode, ...rest] = fields[0]?.tag === INTEGER ? fields.slice(1) : fields
  if (!issuerNode || !thisUpdateNode) throw new RangeError('not a revocation list')
  const nextUpdateNode = rest[0] && isTime(rest[0]) ? rest.shift() : undefined
  const entries = rest.find(({ tag }) => tag === SEQUENCE)
  const extensions = rest.find(({ tag }) => tag === EXTENSIONS)
  const issuer = canonicalName(der, issuerNode)
  return {
    issuer,
    authorityKeyId: extensions ? keyIdIn(der, childrenOf(der, extensions)[0]) : null,
    scope: extensions ? scopeIn(der, childrenOf(der, extensions)[0]) : '',
    thisUpdate: dateOf(der, thisUpdateNode),
    nextUpdate: nextUpdateNode ? dateOf(der, nextUpdateNode) : null,
    revoked: entries ? revokedIn(der, entries, issuer) : new Map(),
  }
}

/**
 * Whether the list that OpenSSL would choose for a certificate revokes it. Among several lists of its CA that is one that is
 * valid now before one that is not, and the newest of those (get_crl_sk in crypto/x509/x509_vfy.c).
 *
 * @param keyIds of the CA that issued the certificate; a list of another key of that CA does not count.
 */
export function isRevoked(
  { issuer, serial }: { readonly issuer: string; readonly serial: string },
  keyId: string | null,
  lists: readonly Revocations[],
  now: number = Date.now(),
): boolean {
  const own = lists.filter(
    (list) => list.issuer === issuer && (!list.authorityKeyId || !keyId || list.authorityKeyId === keyId),
  )
  own.sort((a, b) => Number(isCurrent(b, now)) - Number(isCurrent(a, now)) || b.thisUpdate - a.thisUpdate)
  const chosen = own.filter((list, i) => own.findIndex(({ scope }) => scope === list.scope) === i)
  // OpenSSL takes no indirect list of another CA as Node asks it; a certificate that one names is revoked all the same.
  const foreign = lists.some((list) => list.issuer !== issuer && list.revoked.get(issuer)?.has(serial))
  return foreign || chosen.some(({ revoked }) => revoked.get(issuer)?.has(serial))
}

function isCurrent({ thisUpdate, nextUpdate }: Revocations, now: number): boolean {
  return thisUpdate <= now && (nextUpdate === null || nextUpdate >= now)
}

const INTEGER = 0x02
const ENUMERATED = 0x0a
const SEQUENCE = 0x30
const EXTENSIONS = 0xa0
const DIRECTORY_NAME = 0xa4
const KEY_IDENTIFIER = 0x80
const REMOVE_FROM_CRL = 8

/** One entry after the other: a list can have half a million. */
function revokedIn(der: Uint8Array, entries: DerNode, listIssuer: string): Map<string, Set<string>> {
  const revoked = new Map<string, Set<string>>()
  let issuers: readonly string[] = [listIssuer]
  for (let at = entries.from; at < entries.to; ) {
    const entry = nodeAt(der, at)
    at = entry.to
    const [serial, , extensions] = childrenOf(der, entry)
    if (serial?.tag !== INTEGER) throw new RangeError('not an entry of a revocation list')
    issuers = (extensions && issuersIn(der, extensions)) ?? issuers
    if (extensions && reasonIn(der, extensions) === REMOVE_FROM_CRL) continue
    for (const issuer of issuers) {
      const serials = revoked.get(issuer) ?? new Set()
      revoked.set(issuer, serials.add(contentOf(der, serial)))
    }
  }
  return revoked
}

/** CertificateIssuer ::= GeneralNames (RFC 5280, section 5.3.3). */
function issuersIn(der: Uint8Array, extensions: DerNode): string[] | undefined {
  const value = extensionValue(der, extensions, '2.5.29.29')
  if (!value) return undefined
  const names = childrenOf(der, value).filter(({ tag }) => tag === DIRECTORY_NAME)
  return names.flatMap((name) => childrenOf(der, name).map((inner) => canonicalName(der, inner)))
}

function reasonIn(der: Uint8Array, extensions: DerNode): number | undefined {
  const value = extensionValue(der, extensions, '2.5.29.21')
  return value?.tag === ENUMERATED ? der[value.from] : undefined
}

/** AuthorityKeyIdentifier ::= SEQUENCE { [0] keyIdentifier, ... } (RFC 5280, section 4.2.1.1). */
function keyIdIn(der: Uint8Array, extensions: DerNode | undefined): string | null {
  const value = extensions && extensionValue(der, extensions, '2.5.29.35')
  const keyId = value && childrenOf(der, value).find(({ tag }) => tag === KEY_IDENTIFIER)
  return keyId ? contentOf(der, keyId) : null
}

/** IssuingDistributionPoint (RFC 5280, section 5.2.5). */
function scopeIn(der: Uint8Array, extensions: DerNode | undefined): string {
  const value = extensions && extensionValue(der, extensions, '2.5.29.28')
  return value ? contentOf(der, value) : ''
}

/** What an extension's OCTET STRING holds. */
function extensionValue(der: Uint8Array, extensions: DerNode, wanted: string): DerNode | undefined {
  for (const extension of childrenOf(der, extensions)) {
    const [id, ...rest] = childrenOf(der, extension)
    const value = rest.pop()
    if (id && value && oidOf(der, id) === wanted) return nodeAt(der, value.from)
  }
  return undefined
}

function dateOf(der: Uint8Array, node: DerNode): number {
  const time = timeOf(der, node)
  if (time === null) throw new RangeError('not a time')
  return time
}
