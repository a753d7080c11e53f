import type { Problem } from '../base/problem.js'
import type { DeliveredHosts, DeliveredSet } from './delivery.js'
import type { CertificateFacts, ContextOptions, FileLimits, MaterialSources, Policy } from './material.js'

/** Locations of the certificates of SNI hosts. */
export interface HostSources {
  /**
   * Hosts with explicit files: a list of {@link HostSource} as shared JSON, because it is passed to every check and can
   * have thousands of entries. `null` if there are none.
   */
  readonly named: Uint8Array | null
  /** fast-glob patterns of directories with one pair each. */
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

/** Step 1 of 3, part of the PREPARE of the default certificate: finds the hosts that differ from the record. */
export interface ScanHostsTask {
  readonly sources: HostSources
  /** The hosts of a delivery, instead of `sources`; `null` with files. */
  readonly delivered: Pick<DeliveredHosts, 'source' | 'list'> | null
  readonly limits: FileLimits
  readonly record: Uint8Array | null
  /** The record of the hosts that were rolled back: hosts that match it are not loaded. */
  readonly rolledBack: Uint8Array | null
  readonly force: boolean
  readonly fresh: boolean
}

export type ScanHostsReply = (
  | { readonly kind: 'unchanged' | 'rolled-back' }
  | {
      readonly kind: 'changed'
      /** Whether other hosts match the rolled-back record and are therefore not loaded. */
      readonly isRolledBack: boolean
      /** Lists of hosts in an internal format, one per task. */
      readonly batches: readonly Uint8Array[]
      readonly removed: readonly string[]
      readonly problems: readonly Problem[]
    }
) & {
  /**
   * Pattern matches that are not hosts, and patterns without matches; repeated in each reply. Absent if there are none.
   */
  readonly strays?: readonly Problem[]
}

/** Step 2, one task per batch: reads, checks and returns the pairs of one batch. */
export interface PrepareHostsTask {
  readonly batch: Uint8Array
  /** The material of the hosts of the batch that were delivered, by id; absent with files. */
  readonly delivered?: ReadonlyMap<string, DeliveredSet>
  /** The engine's trust anchors as PEM, to look up issuers; `null` without any. */
  readonly authorities: Uint8Array | null
  readonly passphrase: MaterialSources['passphrase']
  readonly limits: FileLimits
  readonly context: ContextOptions
  readonly policy: Policy
  readonly force: boolean
  readonly fresh: boolean
}

export interface PrepareHostsReply {
  /**
   * One buffer, transferred: for each host its facts as JSON, then the parts of its pair in the order of
   * {@link PAIR_PARTS}. An absent part is empty.
   */
  readonly pack: Uint8Array
  /** End offset of each of these, in the same order; transferred. */
  readonly ends: Uint32Array
  /** The {@link HostDates} of each host in sequence; transferred. */
  readonly dates: Float64Array
  readonly hosts: readonly PreparedHost[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** Identifies the refused state of these hosts; empty when none was refused. */
  readonly failureDigest: string
  /** Certificate files of the changed hosts. */
  readonly changed: readonly string[]
  /** These hosts' part of the next record, in an internal format. */
  readonly page: Uint8Array
  /** The part of the batch left for another task, because encrypted keys take long. */
  readonly rest: Uint8Array | null
}

/**
 * Start and end of a host's leaf, then of the first chain certificate to end among those that clients need, then of its
 * OCSP response; in milliseconds since 1970. These numbers are enough to compare ten thousand hosts with the time.
 */
export type HostDates = readonly [
  leafFrom: number,
  leafTo: number,
  chainFrom: number,
  chainTo: number,
  ocspFrom: number,
  ocspTo: number,
]

export const HOST_DATES = 6

/** The fields of each host that the main thread needs at once; the rest is in the pack. */
export interface PreparedHost extends Pick<CertificateFacts, 'notAfter' | 'keyType'> {
  readonly id: string
  /** Lower case; `*.` in front of a name matches one more label. */
  readonly names: readonly string[]
  /** Fingerprint of the leaf that an OCSP response is stapled for; absent without one. */
  readonly stapledLeaf?: string
}

/** Step 3, one task: builds the record of the hosts now in service. */
export interface SealHostsTask {
  readonly record: Uint8Array | null
  readonly rolledBack: Uint8Array | null
  readonly pages: readonly Uint8Array[]
  readonly removed: readonly string[]
}

export interface SealHostsReply {
  readonly record: Uint8Array
  /** Without hosts that have changed since. */
  readonly rolledBack: Uint8Array | null
}
