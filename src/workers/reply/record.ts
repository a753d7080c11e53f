import type { Fingerprint } from '../../fingerprint/index.js'
import { fromSharedJson, toSharedJson } from '../base/shared-json.js'
import { AuthorityList } from '../parse/authorities.js'
import type { CertificateFacts, RecordBytes, TrustFacts } from '../protocol/material.js'

/**
 * Facts about the set in service that a later PREPARE needs.
 *
 * The main thread keeps it as {@link RecordBytes} and passes it to every check, so that a check is cheap for the main
 * thread regardless of the number of files, and any worker thread can run it.
 */
export interface ServedRecord {
  /** Entries of all files except trust and ticket secret. */
  readonly fingerprint: Fingerprint
  /** Entries of the files of trust anchors, revocation lists and ticket secret. */
  readonly trustFingerprint: Fingerprint
  /** Digest of the parsed certificate and DH files (public parts only), independent of stamps and layout. */
  readonly materialDigest: string
  /** Digest of the OCSP response file, or of why it could not be read: a new one can be served with the same pairs. */
  readonly ocspDigest: string
  /**
   * Rehearsal key of the pairs, which were rehearsed in every TLS version; empty if they are served despite a failure.
   */
  readonly rehearsalKey: string
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
  /** Identifies the ticket secret without revealing it; `null` without one. */
  readonly tickets: string | null
  readonly authorities: AuthorityList
  /** As in {@link RecordBytes}. */
  readonly peerRules: Uint8Array | null
}

/** The entries of all files of a record. */
export function wholeFingerprint({ fingerprint, trustFingerprint }: ServedRecord): Fingerprint {
  return [...fingerprint, ...trustFingerprint]
}

/** Content of {@link RecordBytes.trust}. */
type TrustPart = Pick<ServedRecord, 'trustFingerprint' | 'trust' | 'tickets'>

export function trustPartOf({ trustFingerprint, trust, tickets }: TrustPart): TrustPart {
  return { trustFingerprint, trust, tickets }
}

/** Whether two records have the same trust and ticket secret, regardless of their files. */
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
  peerRules,
  trustFingerprint,
  trust,
  tickets,
  ...head
}: ServedRecord): RecordBytes {
  const trustPart: TrustPart = { trustFingerprint, trust, tickets }
  return {
    head: toSharedJson(head),
    trust: toSharedJson(trustPart),
    authorities: authorities.packed,
    peerRules,
  }
}

export function decodeRecord({ head, trust, authorities, peerRules }: RecordBytes): ServedRecord {
  return {
    ...fromSharedJson<Omit<ServedRecord, 'authorities' | 'peerRules' | keyof TrustPart>>(head),
    ...fromSharedJson<TrustPart>(trust),
    authorities: AuthorityList.unpack(authorities),
    peerRules,
  }
}
