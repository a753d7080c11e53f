import type { Fingerprint } from '../fingerprint/index.js'
import type { CertificateFacts, TrustFacts } from './protocol.js'
import { fromSharedJson, toSharedJson } from './shared-json.js'

/**
 * All that a later PREPARE needs to know of what is served.
 *
 * The main thread keeps it as bytes in shared memory and hands it back with every check, so that a check costs it
 * nothing however many files there are, and any worker thread can answer.
 */
export interface ServedRecord {
  readonly fingerprint: Fingerprint
  /** Digest of what the files mean (public parts only), whatever their stamps and layout. */
  readonly identity: string
  /** Of the pairs, which were rehearsed in every version of TLS; empty when they are served in spite of it. */
  readonly likeness: string
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
  readonly authorities: readonly AuthorityFacts[]
}

/** What is known of a trust anchor, so that it is parsed once and not again each time that another one comes or goes. */
export interface AuthorityFacts {
  readonly fingerprint256: string
  readonly subject: string
  /** The subject's DER in base64, as issuers are compared by. */
  readonly name: string
  /** Whether it may sign others; if not, it has signed itself. */
  readonly ca: boolean
  /** Milliseconds since 1970. */
  readonly notAfter: number
}

export const encodeRecord: (record: ServedRecord) => Uint8Array = toSharedJson

export const decodeRecord: (bytes: Uint8Array) => ServedRecord = fromSharedJson
