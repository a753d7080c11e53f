import { fromSharedJson } from '../base/shared-json.js'
import type { HostSource } from '../protocol/hosts.js'

/** What one host's files were when its certificate was taken over. */
export interface HostEntry extends HostSource {
  /** SHA-256 of the certificate file. */
  readonly content: string
  readonly certStamp: string
  readonly keyStamp: string
  /** `null` without a file of an OCSP response, and for one that cannot be looked at. */
  readonly ocspStamp: string | null
  /** Whether the certificate file had been left alone for a while when it was read: only then does its stamp alone tell. */
  readonly settled: boolean
  /** Fingerprints of the chain, and the digest of the OCSP response. */
  readonly materialDigest: string
}

/** A host in a batch, and the chain of it that is served: fingerprints as in {@link HostEntry}, `null` for a new one. */
export interface BatchedHost extends HostSource {
  readonly served: string | null
}

/** Every host that is served, by id. */
export function hostEntries(record: Uint8Array | null): Map<string, HostEntry> {
  const entries = record === null ? [] : fromSharedJson<HostEntry[]>(record)
  return new Map(entries.map((entry) => [entry.id, entry]))
}
