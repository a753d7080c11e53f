import type { Problem } from '../base/problem.js'
import type { DeliveredSet } from './delivery.js'
import type { TrustEnds } from './ends.js'
import type { ScanHostsReply, ScanHostsTask } from './hosts.js'
import type {
  CertificateFacts,
  ContextOptions,
  FileLimits,
  MaterialSources,
  Policy,
  PreparedPair,
  RecordBytes,
  TrustFacts,
} from './material.js'

export interface PrepareTask {
  readonly sources: MaterialSources
  /** The material of a source, in addition to the files in `sources`; `null` without a source. */
  readonly delivered: DeliveredSet | null
  readonly limits: FileLimits
  readonly context: ContextOptions
  /**
   * Whether any user of this material requests client certificates: the engine's own option, an attached server, or a
   * server of a fleet member. Trust that such a server could not use is then refused.
   */
  readonly requestCert: boolean
  readonly policy: Policy
  /** Accepts findings that `policy` rejects, but never unusable material. */
  readonly force: boolean
  /** The record of the set in service, as received in the reply that brought it; `null` before the first. */
  readonly record: RecordBytes | null
  /** The record of the set that was rolled back. Certificates that still match it are not loaded; changed trust is. */
  readonly rolledBack: RecordBytes | null
  /** Load the set even if it is already in service: the options have changed. */
  readonly fresh: boolean
  /** The scan of the SNI hosts; `null` without any. */
  readonly hosts: ScanHostsTask | null
  /** Those of the last reply. */
  readonly fileWarnings: readonly Problem[]
}

/** Differences between a new set and the one in service. */
export interface MaterialDiff {
  readonly fingerprint256: { readonly from: string; readonly to: string }
  readonly namesAdded: readonly string[]
  readonly namesLost: readonly string[]
  readonly notAfter: { readonly from: string; readonly to: string }
  readonly issuer: { readonly from: string; readonly to: string }
  readonly keyType: { readonly from: string; readonly to: string }
  /** Subjects of trust anchors. */
  readonly authoritiesAdded: readonly string[]
  readonly authoritiesRemoved: readonly string[]
  /** Rules about peers, each with its kind: `uri spiffe://example.org/web`. Absent if none changed. */
  readonly peersAdded?: readonly string[]
  readonly peersRemoved?: readonly string[]
  /** Whether existing TLS sessions can be resumed: true exactly when no trust changed. */
  readonly sessionsSurvive: boolean
}

/** Normalized PEM, ready to load. Every buffer is separate, of exact size, and transferred. */
export interface PreparedMaterial {
  /** Empty if the certificates on disk were rolled back: then the pairs and `dhparam` in service stay. */
  readonly pairs: readonly PreparedPair[]
  /** `served` if unchanged: then it is not sent again. */
  readonly trust: PreparedTrust | 'served'
  readonly dhparam: Uint8Array | null
  readonly ticketSecret: Uint8Array | null
}

/** The trust anchors of each SPIFFE trust domain: SHA-256 of their DER, in hex. */
export type TrustDomains = Readonly<Record<string, readonly string[]>>

/** The authorities trusted to verify peers, the revocation lists, and the rules about peers. */
export interface PreparedTrust {
  /** `null` when the engine has none. */
  readonly authorities: PreparedAuthorities | null
  readonly revocationLists: readonly Uint8Array[]
  /**
   * Absent if any anchor may verify any peer. Otherwise only those of its own domain may: OpenSSL verifies each peer by all
   * anchors, and the main thread decides after the handshake.
   */
  readonly domains?: TrustDomains
  /** The only peers that may connect, see `packRules`; absent if every verified peer may. */
  readonly peerRules?: Uint8Array
  /** Set if public roots are among the authorities: then they verify remote servers only, and `problems` says so. */
  readonly publicRoots?: true
  /** When each of them ends. */
  readonly ends: TrustEnds
  /**
   * Why a server that requests client certificates could not use it; empty if one can. Recorded even if no server
   * requests certificates, so that such a server is refused when it is attached.
   */
  readonly problems: readonly Problem[]
}

/** Trust anchors as PEM, with the end offset of each, so that they can be added in groups of any size. */
export interface PreparedAuthorities {
  readonly pem: Uint8Array
  readonly ends: Uint32Array
}

/** Result of PREPARE. Failures are data: a thrown error would lose its code between threads. */
export type PrepareReply = DefaultReply & {
  /** The hosts that differ, if the task asked for them. */
  readonly hosts?: ScanHostsReply
  /** Files whose path does not show the current content (`FILE_MOUNTED`, `FILE_DETACHED`); absent without any. */
  readonly fileWarnings?: readonly Problem[]
}

/** Result for the default certificate and the trust. */
export type DefaultReply = UnchangedReply | RolledBackReply | PreparedReply | RefusedReply

export interface UnchangedReply {
  readonly kind: 'unchanged'
  /** Set if stamps changed but not the content: the record to compare with from now on. */
  readonly record: RecordBytes | null
}

/** The files match the set that was rolled back. They could be served but are not. */
export interface RolledBackReply {
  readonly kind: 'rolled-back'
  /** Set if stamps changed, or trust returned to that in service: the record to keep from now on. */
  readonly rolledBack: RecordBytes | null
}

export interface PreparedReply {
  readonly kind: 'prepared'
  readonly material: PreparedMaterial
  readonly record: RecordBytes
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
  readonly warnings: readonly Problem[]
  readonly changed: readonly string[]
  readonly diff: MaterialDiff | null
  /** Set when `material.pairs` is empty: the record to keep from now on. */
  readonly rolledBack: RecordBytes | null
}

export interface RefusedReply {
  readonly kind: 'refused'
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  readonly changed: readonly string[]
  /** Identifies the refused state of the disk; only a digest of stamps. */
  readonly failureDigest: string
}
