import { fromSharedJson, toSharedJson } from '../base/shared-json.js'
import type { AuthorityKeyId } from '../formats/authority-key-id.js'

/** What is known of a trust anchor, so that it is parsed once and not again each time that another one comes or goes. */
export interface AuthorityFacts {
  /** SHA-256 of the DER, in lower-case hex. */
  readonly digest: string
  readonly subject: string
  /** The subject's DER in base64, as issuers are compared by. */
  readonly name: string
  /** The subject as OpenSSL compares it. */
  readonly canonicalName: string
  /** What another anchor must be to have issued it; `null` for an anchor that signed itself. */
  readonly issuer: WantedIssuer | null
  /** Its subject key identifier in base64; `null` without one. */
  readonly keyId: string | null
  /** Its serial number, DER content in base64. */
  readonly serial: string
  /** For which clients OpenSSL lets it vouch: for those that it signed, for itself as a client, or for none. */
  readonly vouchesFor: 'others' | 'itself' | 'none'
  /** What is unusual about that, in words; `null` for a usual CA. */
  readonly remark: string | null
  /** Whether trust settings in its file make OpenSSL trust it without its issuer. */
  readonly explicitTrust: boolean
  /** What makes its key too large, in words; `null` for a usual key. */
  readonly largeKey: string | null
  /** Milliseconds since 1970, as `notAfter`. */
  readonly notBefore: number
  readonly notAfter: number
}

/** The issuer of a certificate, as the certificate names it. */
export interface WantedIssuer {
  /** As OpenSSL compares names. */
  readonly name: string
  /** For messages. */
  readonly subject: string
  readonly key: AuthorityKeyId | null
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
