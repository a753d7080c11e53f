import { fromSharedJson } from '../base/shared-json.js'
import type { HostSource } from '../protocol/hosts.js'

/** State of a host's files when its certificate was accepted. */
export interface HostEntry extends HostSource {
  /** SHA-256 of the certificate file. */
  readonly content: string
  readonly certStamp: string
  readonly keyStamp: string
  /** `null` without an OCSP response file, or if it cannot be examined. */
  readonly ocspStamp: string | null
  /** Whether the certificate file had been unmodified for a while when it was read: only then is its stamp reliable. */
  readonly settled: boolean
  /** Fingerprints of the chain, and the digest of the OCSP response. */
  readonly materialDigest: string
}

/** A host in a batch with its served chain: fingerprints as in {@link HostEntry}, `null` for a new host. */
export interface BatchedHost extends HostSource {
  readonly served: string | null
}

/** All hosts in service, by id. */
export function hostEntries(record: Uint8Array | null): Map<string, HostEntry> {
  const entries = record === null ? [] : fromSharedJson<HostEntry[]>(record)
  return new Map(entries.map((entry) => [entry.id, entry]))
}
