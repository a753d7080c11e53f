import { X509Certificate } from 'node:crypto'

import { isSelfSigned } from './certificates.js'
import { childrenOf, nodeAt } from './der.js'
import {
  canonicalIssuerOf,
  canonicalSubjectOf,
  contentOf,
  extensionsOf,
  purposesOf,
  serialOf,
  versionOf,
} from './x509.js'

/** A certificate on a peer's way to an anchor. What takes native code is looked at when it is asked for. */
export class PeerCertificate {
  /** The DER as text, to tell certificates apart by. */
  readonly id: string
  readonly subject: string
  readonly issuer: string
  readonly serial: string
  readonly #der: Buffer
  #x509: X509Certificate | undefined
  #asIssuer: IssuerFacts | undefined

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
    return this.#facts.keyId
  }

  /** How many CAs, those with an own name apart, may stand between it and a leaf (RFC 5280, section 4.2.1.9). */
  get pathLength(): number {
    return this.#facts.pathLength
  }

  get isSelfIssued(): boolean {
    return this.subject === this.issuer
  }

  get isSelfSigned(): boolean {
    return this.isSelfIssued && isSelfSigned(this.#parsed)
  }

  /** Whether OpenSSL lets it vouch for the certificates of clients. */
  get mayIssue(): boolean {
    return this.#facts.mayIssue
  }

  /** Whether names, key identifiers and key usage allow this to be its issuer. Costs no signature. */
  fits(issuer: PeerCertificate): boolean {
    return issuer.mayIssue && readOr(false, () => this.#parsed.checkIssued(issuer.#parsed))
  }

  isSignedBy(issuer: PeerCertificate): boolean {
    try {
      return this.#parsed.verify(issuer.#parsed.publicKey)
    } catch {
      // A key of a kind that OpenSSL does not know signs nothing.
      return false
    }
  }

  get #parsed(): X509Certificate {
    this.#x509 ??= new X509Certificate(this.#der)
    return this.#x509
  }

  get #facts(): IssuerFacts {
    this.#asIssuer ??= readOr(UNREADABLE, () => issuerFactsOf(this.#der, this.#parsed, this.isSelfIssued))
    return this.#asIssuer
  }
}

interface IssuerFacts {
  readonly keyId: string | null
  readonly pathLength: number
  readonly mayIssue: boolean
}

const SUBJECT_KEY_ID = '2.5.29.14'
const KEY_USAGE = '2.5.29.15'
const BASIC_CONSTRAINTS = '2.5.29.19'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const INTEGER = 0x02
const UNLIMITED = Number.POSITIVE_INFINITY

/**
 * As check_ca and check_purpose_ssl_client in crypto/x509/v3_purp.c: a CA, or one of before there were extensions that
 * signed itself, or one whose key usage alone allows it; and no purposes, or that of TLS clients. (The key usage itself is
 * checked by `checkIssued`.)
 */
function issuerFactsOf(der: Uint8Array, certificate: X509Certificate, selfIssued: boolean): IssuerFacts {
  const extensions = new Map(extensionsOf(der).map(({ oid, value }) => [oid, Buffer.from(value, 'base64')]))
  const constraints = extensions.get(BASIC_CONSTRAINTS)
  const isOld = !constraints && (extensions.has(KEY_USAGE) || (versionOf(der) === 1 && selfIssued))
  const purposes = purposesOf(der)
  const keyId = extensions.get(SUBJECT_KEY_ID)
  return {
    keyId: keyId ? readOr(null, () => contentOf(keyId, nodeAt(keyId, 0))) : null,
    pathLength: constraints ? readOr(UNLIMITED, () => pathLengthIn(constraints)) : UNLIMITED,
    mayIssue: (certificate.ca || isOld) && (purposes?.includes(CLIENT_AUTH) ?? true),
  }
}

/** BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
function pathLengthIn(constraints: Uint8Array): number {
  const length = childrenOf(constraints, nodeAt(constraints, 0)).find(({ tag }) => tag === INTEGER)
  return length && length.to - length.from === 1 ? (constraints[length.from] as number) : UNLIMITED
}

/** A certificate that a client sends beside its own, and that cannot be read, is not an issuer and harms no path without it. */
const UNREADABLE: IssuerFacts = { keyId: null, pathLength: 0, mayIssue: false }

/** OpenSSL takes BER inside of extensions. An anchor with it vouches for its clients as any other. */
function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
