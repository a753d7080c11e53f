import { fromSharedJson, toSharedJson } from '../base/shared-json.js'
import type { AuthorityKeyId } from '../formats/authority-key-id.js'

/** Parsed facts of a trust anchor, cached so that it is not parsed again when another anchor is added or removed. */
export interface AuthorityFacts {
  /** SHA-256 of the DER, in lower-case hex. */
  readonly digest: string
  readonly subject: string
  /** The subject's DER in base64, for comparison with issuers. */
  readonly name: string
  /** The subject as OpenSSL compares it. */
  readonly canonicalName: string
  /** The issuer to look for among the anchors; `null` for a self-signed anchor. */
  readonly issuer: WantedIssuer | null
  /** Its subject key identifier in base64; `null` without one. */
  readonly keyId: string | null
  /** Its serial number, DER content in base64. */
  readonly serial: string
  /** The certificates that OpenSSL accepts through it: those it signed, only itself (as a client), or none. */
  readonly trustedFor: 'others' | 'itself' | 'none'
  /** What is unusual about that, in words; `null` for an ordinary CA. */
  readonly remark: string | null
  /** Whether trust settings in its file make OpenSSL trust it without its issuer. */
  readonly explicitTrust: boolean
  /** Why its key is too large, in words; `null` for an ordinary key. */
  readonly largeKey: string | null
  /** Milliseconds since 1970, as `notAfter`. */
  readonly notBefore: number
  readonly notAfter: number
}

/** The issuer named in a certificate. */
export interface WantedIssuer {
  /** In canonical form. */
  readonly name: string
  /** For messages. */
  readonly subject: string
  readonly key: AuthorityKeyId | null
}

/** There can be hundreds of trust anchors, and most passes do not change them; then they are not parsed. */
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
