import type { Fingerprint } from '../../fingerprint/index.js'
import { fromSharedJson, toSharedJson } from '../base/shared-json.js'
import { AuthorityList } from '../parse/authorities.js'
import type { CertificateFacts, RecordBytes, TrustFacts } from '../protocol/material.js'

/**
 * All that a later PREPARE needs to know of what is served.
 *
 * The main thread keeps it as {@link RecordBytes} and hands it back with every check, so that a check costs it nothing
 * however many files there are, and any worker thread can answer.
 */
export interface ServedRecord {
  /** Entries of every file but those of trust and ticket secret. */
  readonly fingerprint: Fingerprint
  /** Entries of the files of trust anchors, revocation lists and ticket secret. */
  readonly trustFingerprint: Fingerprint
  /** Digest of what the certificate and DH files mean (public parts only), whatever their stamps and layout. */
  readonly materialDigest: string
  /** Digest of the file of the OCSP response, or of why it could not be read: a new one is served with the same pairs. */
  readonly ocspDigest: string
  /** Rehearsal key of the pairs, which were rehearsed in every version of TLS; empty when they are served in spite of a failure. */
  readonly rehearsalKey: string
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
  /** Names the ticket secret without giving it away; `null` without one. */
  readonly tickets: string | null
  readonly authorities: AuthorityList
}

/** The entries of all files of a record. */
export function wholeFingerprint({ fingerprint, trustFingerprint }: ServedRecord): Fingerprint {
  return [...fingerprint, ...trustFingerprint]
}

/** What lies in {@link RecordBytes.trust}. */
type TrustPart = Pick<ServedRecord, 'trustFingerprint' | 'trust' | 'tickets'>

export function trustPartOf({ trustFingerprint, trust, tickets }: TrustPart): TrustPart {
  return { trustFingerprint, trust, tickets }
}

/** Whether two records have the same trust and ticket secret, whatever their files look like. */
export function sameTrust(one: TrustPart, other: TrustPart): boolean {
  return one.trust.digest === other.trust.digest && one.tickets === other.tickets
}

type PairsPart = Pick<ServedRecord, 'materialDigest' | 'ocspDigest'>

/** Whether two records have the same certificates, with the same OCSP response. */
export function samePairs(one: PairsPart, other: PairsPart): boolean {
  return one.materialDigest === other.materialDigest && one.ocspDigest === other.ocspDigest
}

export function encodeRecord({
  authorities,
  trustFingerprint,
  trust,
  tickets,
  ...head
}: ServedRecord): RecordBytes {
  const trustPart: TrustPart = { trustFingerprint, trust, tickets }
  return { head: toSharedJson(head), trust: toSharedJson(trustPart), authorities: authorities.packed }
}

export function decodeRecord({ head, trust, authorities }: RecordBytes): ServedRecord {
  return {
    ...fromSharedJson<Omit<ServedRecord, 'authorities' | keyof TrustPart>>(head),
    ...fromSharedJson<TrustPart>(trust),
    authorities: AuthorityList.unpack(authorities),
  }
}
