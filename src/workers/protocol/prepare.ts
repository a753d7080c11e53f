import type { Problem } from '../base/problem.js'
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

/** One PREPARE. */
export interface PrepareTask {
  readonly sources: MaterialSources
  readonly limits: FileLimits
  readonly context: ContextOptions
  /**
   * Whether anything that serves this material requests client certificates: the engine's own option, an attached
   * server, or a server of a fleet member. Trust that such a server could not use is refused then.
   */
  readonly requestCert: boolean
  readonly policy: Policy
  /** Lets the set past what `policy` rejects, never past what cannot serve. */
  readonly force: boolean
  /** The record of what is served, as the reply that brought it rolledBack it; `null` before anything is. */
  readonly record: RecordBytes | null
  /**
   * The record of what was rolled back. Certificates that are still the ones in it are not loaded; trust is, as soon as
   * its files say anything else.
   */
  readonly rolledBack: RecordBytes | null
  /** Load whatever is there, even what is served already: the options have changed. */
  readonly fresh: boolean
  /** What to look for among the SNI hosts; `null` without any. */
  readonly hosts: ScanHostsTask | null
  /** Those of the last reply. */
  readonly fileWarnings: readonly Problem[]
}

/** A new set against what is served. */
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
  /** Whether TLS sessions begun before would be resumed after: true exactly when no trust changed. */
  readonly sessionsSurvive: boolean
}

/** Plain PEM, ready to be loaded. Every buffer is its own, exact in size, and is transferred. */
export interface PreparedMaterial {
  /** Empty when the certificates on disk were rolled back: then pairs and `dhparam` stay those that are served. */
  readonly pairs: readonly PreparedPair[]
  /** `served` when it is the same as before: then it was not sent again. */
  readonly trust: PreparedTrust | 'served'
  readonly dhparam: Uint8Array | null
  readonly ticketSecret: Uint8Array | null
}

/** Who is trusted to vouch for peers, and which of them are revoked. */
export interface PreparedTrust {
  /** `null` when the engine has none. */
  readonly authorities: PreparedAuthorities | null
  readonly revocationLists: readonly Uint8Array[]
  /** When each of them ends. */
  readonly ends: TrustEnds
  /**
   * Why a server that requests client certificates could not serve with it; empty when one can. They are recorded when no
   * server requests certificates, so that one which does is refused when it is attached.
   */
  readonly problems: readonly Problem[]
}

/** Trust anchors as PEM, with the offset at which each ends, so that they can be added in groups of any size. */
export interface PreparedAuthorities {
  readonly pem: Uint8Array
  readonly ends: Uint32Array
}

/** What PREPARE found. Failures are data: a thrown error would lose its code on the way across threads. */
export type PrepareReply = DefaultReply & {
  /** Which hosts differ, where the task asked for it. */
  readonly hosts?: ScanHostsReply
  /** Files whose path does not show what is on disk (`FILE_MOUNTED`, `FILE_DETACHED`); absent without any. */
  readonly fileWarnings?: readonly Problem[]
}

/** What was found about the default certificate and the trust. */
export type DefaultReply = UnchangedReply | RolledBackReply | PreparedReply | RefusedReply

export interface UnchangedReply {
  readonly kind: 'unchanged'
  /** Set when stamps moved while what they stand for did not: the record to compare with from now on. */
  readonly record: RecordBytes | null
}

/** The files are what was rolled back. They could be served, and are not. */
export interface RolledBackReply {
  readonly kind: 'rolled-back'
  /** Set when stamps moved, or trust came back to what is served: the record to hold from now on. */
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
  /** Set when `material.pairs` is empty: the record to hold from now on. */
  readonly rolledBack: RecordBytes | null
}

export interface RefusedReply {
  readonly kind: 'refused'
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  readonly changed: readonly string[]
  /** Tells one refused state of the disk from another; no more than a digest of stamps. */
  readonly failureDigest: string
}
