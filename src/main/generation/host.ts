import type { CertificateFacts, PreparedPair } from '../../workers/protocol/material.js'

/** One SNI host as it is served. */
export interface Host extends Pick<CertificateFacts, 'notAfter' | 'keyType'> {
  /** The name that it was given, or its directory. */
  readonly id: string
  /** Lower case; `*.` stands for one label. */
  readonly names: readonly string[]
  /** May be parsed on each access: fields that are needed for many hosts are kept beside it. */
  readonly facts: CertificateFacts
  /** Holds the `HostDates` of this host, from `datesAt` on. */
  readonly dates: ArrayLike<number>
  readonly datesAt: number
  readonly pair: PreparedPair
}
