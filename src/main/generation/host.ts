import type { CertificateFacts, PreparedPair } from '../../workers/protocol/material.js'

/** One served SNI host. */
export interface Host extends Pick<CertificateFacts, 'notAfter' | 'keyType'> {
  /** Its name in the options, or its directory. */
  readonly id: string
  /** Lower case; `*.` stands for one label. */
  readonly names: readonly string[]
  /** May be parsed on each access; fields needed for many hosts are kept separately. */
  readonly facts: CertificateFacts
  /** Contains the `HostDates` of this host, starting at `datesAt`. */
  readonly dates: ArrayLike<number>
  readonly datesAt: number
  readonly pair: PreparedPair
  /** Fingerprint of the leaf that an OCSP response is stapled for; absent without one. */
  readonly stapledLeaf?: string
}
