import type { Problem } from '../base/problem.js'
import type { CertificateFacts, ContextOptions, FileLimits, MaterialSources, Policy } from './material.js'

/** Where the certificates of SNI hosts lie. */
export interface HostSources {
  /**
   * Hosts that were named, with their files: a list of {@link HostSource} as shared JSON, because every check takes it along
   * and there may be thousands. `null` without any.
   */
  readonly named: Uint8Array | null
  /** fast-glob patterns of directories that each hold a pair. */
  readonly patterns: readonly string[]
}

/** One host: a name, or a directory that serves every DNS name in its certificate. */
export interface HostSource {
  readonly id: string
  readonly cert: string
  readonly key: string
  /** `null`: the names in the certificate. */
  readonly name: string | null
  /** File of an OCSP response for its leaf; absent without one. */
  readonly ocsp?: string
}

/** The first of three steps, a part of the PREPARE of the default certificate: which hosts are not as the record says? */
export interface ScanHostsTask {
  readonly sources: HostSources
  readonly limits: FileLimits
  readonly record: Uint8Array | null
  /** The record of what was rolled away from: hosts that are as it says are left alone. */
  readonly rolledBack: Uint8Array | null
  readonly force: boolean
  readonly fresh: boolean
}

export type ScanHostsReply = (
  | { readonly kind: 'unchanged' | 'rolled-back' }
  | {
      readonly kind: 'changed'
      /** Whether others are as they were rolled away from, and so are left alone. */
      readonly isRolledBack: boolean
      /** Lists of hosts, opaque here, each for one task of its own. */
      readonly batches: readonly Uint8Array[]
      readonly removed: readonly string[]
      readonly problems: readonly Problem[]
    }
) & {
  /** Matches of patterns that give no host, and patterns without any; in each reply while it is so. Absent without any. */
  readonly strays?: readonly Problem[]
}

/** The second, a task for each batch: reads, checks and hands back the pairs of one batch. */
export interface PrepareHostsTask {
  readonly batch: Uint8Array
  /** The engine's trust anchors as PEM, among which issuers are looked for; `null` without any. */
  readonly authorities: Uint8Array | null
  readonly passphrase: MaterialSources['passphrase']
  readonly limits: FileLimits
  readonly context: ContextOptions
  readonly policy: Policy
  readonly force: boolean
  readonly fresh: boolean
}

export interface PrepareHostsReply {
  /** In one buffer, transferred, for each host: its chain and its key as PEM, its facts as JSON, its OCSP response or nothing. */
  readonly pack: Uint8Array
  /** Where each of these parts ends, four for each host; transferred. */
  readonly ends: Uint32Array
  /** The {@link HostDates} of each host, one after the other; transferred. */
  readonly dates: Float64Array
  readonly hosts: readonly PreparedHost[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** Tells one refused state of these hosts from another; empty when none was refused. */
  readonly failureDigest: string
  /** Certificate files of the hosts that changed. */
  readonly changed: readonly string[]
  /** The part of the next record that these hosts are, opaque here. */
  readonly page: Uint8Array
  /** What of the batch was left for a task of its own, because encrypted keys take their time. */
  readonly rest: Uint8Array | null
}

/**
 * Begin and end of a host's leaf, then of the certificate of its chain that ends first, of those that clients need; in
 * milliseconds since 1970; then those of its OCSP response. Ten thousand hosts are compared with the time by these numbers
 * alone.
 */
export type HostDates = readonly [
  leafFrom: number,
  leafTo: number,
  chainFrom: number,
  chainTo: number,
  ocspFrom: number,
  ocspTo: number,
]

/** Numbers in {@link HostDates}. */
export const HOST_DATES = 6

/** What the main thread has to know of each host at once; the rest is in the pack. */
export interface PreparedHost extends Pick<CertificateFacts, 'notAfter' | 'keyType'> {
  readonly id: string
  /** Lower case; `*.` in front of a name of one more label. */
  readonly names: readonly string[]
  /** Fingerprint of the leaf that an OCSP response is stapled for; absent without one. */
  readonly stapledLeaf?: string
}

/** The third, a task again: the record of what is served from now on. */
export interface SealHostsTask {
  readonly record: Uint8Array | null
  readonly rolledBack: Uint8Array | null
  readonly pages: readonly Uint8Array[]
  readonly removed: readonly string[]
}

export interface SealHostsReply {
  readonly record: Uint8Array
  /** Without the hosts that have moved on since. */
  readonly rolledBack: Uint8Array | null
}
