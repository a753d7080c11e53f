import { X509Certificate } from 'node:crypto'

import { type Issuer, readIssuer } from '../formats/issuer.js'
import { permitsUriHost } from '../formats/name-constraints.js'
import { spiffeIdOf } from '../formats/spiffe-id.js'
import { canonicalIssuerOf, canonicalSubjectOf, serialOf } from '../formats/x509.js'
import { isSelfSigned } from './certificates.js'

/** A certificate on a peer's path to an anchor. Results of native code are computed on demand. */
export class PeerCertificate {
  /** The DER as text, for comparing certificates. */
  readonly id: string
  readonly subject: string
  readonly issuer: string
  readonly serial: string
  readonly #der: Buffer
  #x509: X509Certificate | undefined
  #asIssuer: Issuer | null | undefined

  /** @throws RangeError if the bytes are not a certificate in DER. */
  constructor(der: Uint8Array) {
    this.#der = Buffer.from(der.buffer, der.byteOffset, der.byteLength)
    this.id = this.#der.toString('latin1')
    this.subject = canonicalSubjectOf(der)
    this.issuer = canonicalIssuerOf(der)
    this.serial = serialOf(der)
  }

  /** Subject key identifier in base64; `null` without one. */
  get keyId(): string | null {
    return this.#facts?.keyId ?? null
  }

  /** Maximum number of CAs, not counting self-issued ones, between it and a leaf (RFC 5280, section 4.2.1.9). */
  get pathLength(): number {
    return this.#facts?.pathLength ?? 0
  }

  get der(): Uint8Array {
    return this.#der
  }

  /** The trust domain of its SPIFFE ID; `null` without exactly one. */
  get trustDomain(): string | null {
    return readOr(null, () => spiffeIdOf(this.#parsed)?.trustDomain ?? null)
  }

  /** Whether its name constraints allow identities of a trust domain; `false` if they cannot be read. */
  permitsDomain(trustDomain: string): boolean {
    return readOr(false, () => permitsUriHost(this.#der, trustDomain))
  }

  isValidAt(ms: number): boolean {
    return readOr(false, () => {
      const { validFrom, validTo } = this.#parsed
      return Date.parse(validFrom) <= ms && ms <= Date.parse(validTo)
    })
  }

  get isSelfIssued(): boolean {
    return this.subject === this.issuer
  }

  get isSelfSigned(): boolean {
    return this.isSelfIssued && isSelfSigned(this.#parsed)
  }

  /** Whether OpenSSL accepts it as an issuer of client certificates. */
  get mayIssue(): boolean {
    const facts = this.#facts
    return facts !== null && facts.ca !== null && facts.clientFlaw === null && facts.invalid === null
  }

  /** Whether names, key identifiers and key usage allow `issuer` to be its issuer. Verifies no signature. */
  fits(issuer: PeerCertificate): boolean {
    return issuer.mayIssue && readOr(false, () => this.#parsed.checkIssued(issuer.#parsed))
  }

  isSignedBy(issuer: PeerCertificate): boolean {
    // OpenSSL cannot verify with a key of an unknown kind.
    return readOr(false, () => this.#parsed.verify(issuer.#parsed.publicKey))
  }

  get #parsed(): X509Certificate {
    this.#x509 ??= new X509Certificate(this.#der)
    return this.#x509
  }

  /** `null` if unreadable: it is not an issuer, and paths without it are unaffected. */
  get #facts(): Issuer | null {
    if (this.#asIssuer === undefined) this.#asIssuer = readOr(null, () => readIssuer(this.#der))
    return this.#asIssuer
  }
}

function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
