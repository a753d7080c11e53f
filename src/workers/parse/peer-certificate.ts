import { X509Certificate } from 'node:crypto'

import { type Issuer, readIssuer } from '../formats/issuer.js'
import { canonicalIssuerOf, canonicalSubjectOf, serialOf } from '../formats/x509.js'
import { isSelfSigned } from './certificates.js'

/** A certificate on a peer's way to an anchor. What takes native code is looked at when it is asked for. */
export class PeerCertificate {
  /** The DER as text, to tell certificates apart by. */
  readonly id: string
  readonly subject: string
  readonly issuer: string
  readonly serial: string
  readonly #der: Buffer
  #x509: X509Certificate | undefined
  #asIssuer: Issuer | null | undefined

  /** @throws RangeError for bytes that are no certificate in DER. */
  constructor(der: Uint8Array) {
    this.#der = Buffer.from(der.buffer, der.byteOffset, der.byteLength)
    this.id = this.#der.toString('latin1')
    this.subject = canonicalSubjectOf(der)
    this.issuer = canonicalIssuerOf(der)
    this.serial = serialOf(der)
  }

  /** Names the key, in base64; `null` where the certificate does not say. */
  get keyId(): string | null {
    return this.#facts?.keyId ?? null
  }

  /** How many CAs, those with an own name apart, may stand between it and a leaf (RFC 5280, section 4.2.1.9). */
  get pathLength(): number {
    return this.#facts?.pathLength ?? 0
  }

  get isSelfIssued(): boolean {
    return this.subject === this.issuer
  }

  get isSelfSigned(): boolean {
    return this.isSelfIssued && isSelfSigned(this.#parsed)
  }

  /** Whether OpenSSL lets it vouch for the certificates of clients. */
  get mayIssue(): boolean {
    const facts = this.#facts
    return facts !== null && facts.ca !== null && facts.clientFlaw === null && facts.invalid === null
  }

  /** Whether names, key identifiers and key usage allow this to be its issuer. Costs no signature. */
  fits(issuer: PeerCertificate): boolean {
    return issuer.mayIssue && readOr(false, () => this.#parsed.checkIssued(issuer.#parsed))
  }

  isSignedBy(issuer: PeerCertificate): boolean {
    // A key of a kind that OpenSSL does not know signs nothing.
    return readOr(false, () => this.#parsed.verify(issuer.#parsed.publicKey))
  }

  get #parsed(): X509Certificate {
    this.#x509 ??= new X509Certificate(this.#der)
    return this.#x509
  }

  /** `null` for one that cannot be read: it is not an issuer, and harms no path without it. */
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
