import {
  CERTIFICATE_ISSUER,
  type CrlEntry,
  type CrlFields,
  crlFieldsOf,
  entriesOf,
  isCurrent,
  isRemoval,
} from '../formats/crl-fields.js'
import { base64Of, childrenOf } from '../formats/der.js'
import { elementIn } from '../formats/extensions.js'
import { canonicalName } from '../formats/name.js'

/** The content of a revocation list that decides about certificates accepted earlier. */
export interface Revocations {
  /** The CA, see {@link canonicalName}. */
  readonly issuer: string
  /** Key identifier of the CA in base64; `null` if not stated. */
  readonly authorityKeyId: string | null
  /** The issuing distribution point in base64, because lists of one CA can divide its certificates. Empty without one. */
  readonly scope: string
  readonly thisUpdate: number
  readonly nextUpdate: number | null
  /** Revoked serial numbers by issuer, in base64 of their content. */
  readonly revoked: ReadonlyMap<string, ReadonlySet<string>>
}

/**
 * Reads a list. Entries of an indirect list belong to the issuer named in them or in the last entry that names one (RFC
 * 5280, section 5.3.3).
 *
 * @throws RangeError if it is not a revocation list in DER.
 */
export function readRevocations(der: Uint8Array): Revocations {
  const list = crlFieldsOf(der)
  const { issuer, thisUpdate, nextUpdate, authorityKey, distributionPoint } = list
  return {
    ...{ issuer, thisUpdate, nextUpdate },
    authorityKeyId: authorityKey?.keyId ?? null,
    scope: distributionPoint ? base64Of(der, distributionPoint) : '',
    revoked: revokedIn(der, list),
  }
}

/**
 * Whether the list that OpenSSL would choose for a certificate revokes it: among the lists of its CA, a currently valid
 * one before others, then the newest (get_crl_sk in crypto/x509/x509_vfy.c).
 *
 * @param keyIds of the CA that issued the certificate; lists of another key of that CA are ignored.
 */
export function isRevoked(
  { issuer, serial }: { readonly issuer: string; readonly serial: string },
  keyId: string | null,
  lists: readonly Revocations[],
  now: number = Date.now(),
): boolean {
  const own = lists.filter((list) => isOf(list, issuer, keyId))
  own.sort((a, b) => Number(isCurrent(b, now)) - Number(isCurrent(a, now)) || b.thisUpdate - a.thisUpdate)
  const chosen = own.filter((list, i) => own.findIndex(({ scope }) => scope === list.scope) === i)
  // As configured by Node, OpenSSL ignores indirect lists of another CA; a certificate in one counts as revoked all the
  // same.
  const foreign = lists.some((list) => list.issuer !== issuer && list.revoked.get(issuer)?.has(serial))
  return foreign || chosen.some(({ revoked }) => revoked.get(issuer)?.has(serial))
}

/** Whether the CA of a certificate has a currently valid list. Without one, OpenSSL refuses the certificate. */
export function hasCurrentList(
  { issuer }: { readonly issuer: string },
  keyId: string | null,
  lists: readonly Revocations[],
  now: number = Date.now(),
): boolean {
  return lists.some((list) => isOf(list, issuer, keyId) && isCurrent(list, now))
}

function isOf({ issuer, authorityKeyId }: Revocations, ca: string, keyId: string | null): boolean {
  return issuer === ca && (!authorityKeyId || !keyId || authorityKeyId === keyId)
}

const DIRECTORY_NAME = 0xa4

function revokedIn(der: Uint8Array, list: CrlFields): Map<string, Set<string>> {
  const revoked = new Map<string, Set<string>>()
  let issuers: readonly string[] = [list.issuer]
  for (const entry of entriesOf(der, list)) {
    issuers = issuersOf(der, entry) ?? issuers
    if (isRemoval(der, entry)) continue
    for (const issuer of issuers) {
      const serials = revoked.get(issuer) ?? new Set()
      revoked.set(issuer, serials.add(base64Of(der, entry.serial)))
    }
  }
  return revoked
}

/** CertificateIssuer ::= GeneralNames (RFC 5280, section 5.3.3). */
function issuersOf(der: Uint8Array, { extensions }: CrlEntry): string[] | null {
  const extension = extensions.get(CERTIFICATE_ISSUER)
  if (!extension) return null
  const names = childrenOf(der, elementIn(der, extension)).filter(({ tag }) => tag === DIRECTORY_NAME)
  return names.flatMap((name) => childrenOf(der, name).map((inner) => canonicalName(der, inner)))
}
