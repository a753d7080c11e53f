import type { Fingerprint } from '../fingerprint/index.js'
import type { CertificateFacts, RecordBytes, TrustFacts } from './protocol.js'
import { fromSharedJson, toSharedJson } from './shared-json.js'

/**
 * All that a later PREPARE needs to know of what is served.
 *
 * The main thread keeps it as {@link RecordBytes} and hands it back with every check, so that a check costs it nothing
 * however many files there are, and any worker thread can answer.
 */
export interface ServedRecord {
  readonly fingerprint: Fingerprint
  /** Digest of what the files mean (public parts only), whatever their stamps and layout. */
  readonly identity: string
  /** Of the pairs, which were rehearsed in every version of TLS; empty when they are served in spite of it. */
  readonly likeness: string
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
  readonly authorities: AuthorityList
}

/** What is known of a trust anchor, so that it is parsed once and not again each time that another one comes or goes. */
export interface AuthorityFacts {
  /** SHA-256 of the DER, in lower-case hex. */
  readonly digest: string
  readonly subject: string
  /** The subject's DER in base64, as issuers are compared by. */
  readonly name: string
  /** Whether it may sign others; if not, it has signed itself. */
  readonly ca: boolean
  /** Milliseconds since 1970. */
  readonly notAfter: number
}

/** Trust anchors can be hundreds, and most passes leave them alone: these are not even parsed then. */
export class AuthorityList {
  #facts: readonly AuthorityFacts[] | undefined
  #packed: Uint8Array | undefined
  #byDigest: ReadonlyMap<string, AuthorityFacts> | undefined

  private constructor(facts: readonly AuthorityFacts[] | undefined, packed?: Uint8Array) {
    this.#facts = facts
    this.#packed = packed
  }

  static of(facts: readonly AuthorityFacts[]): AuthorityList {
    return new AuthorityList(facts)
  }

  static unpack(bytes: Uint8Array): AuthorityList {
    return new AuthorityList(undefined, bytes)
  }

  get facts(): readonly AuthorityFacts[] {
    this.#facts ??= fromSharedJson(this.#packed as Uint8Array)
    return this.#facts as readonly AuthorityFacts[]
  }

  get byDigest(): ReadonlyMap<string, AuthorityFacts> {
    this.#byDigest ??= new Map(this.facts.map((facts) => [facts.digest, facts]))
    return this.#byDigest
  }

  get packed(): Uint8Array {
    this.#packed ??= toSharedJson(this.#facts)
    return this.#packed
  }
}

export function encodeRecord({ authorities, ...head }: ServedRecord): RecordBytes {
  return { head: toSharedJson(head), authorities: authorities.packed }
}

export function decodeRecord({ head, authorities }: RecordBytes): ServedRecord {
  return {
    ...fromSharedJson<Omit<ServedRecord, 'authorities'>>(head),
    authorities: AuthorityList.unpack(authorities),
  }
}
