import { childOf, childrenOf, type DerNode, oidOf } from './der.js'
import { OBJECT_IDENTIFIER, SEQUENCE } from './der-tags.js'
import { explicitCurve } from './explicit-curve.js'
import { recentKeyName, whyTooRecent } from './recent-keys.js'

/*
 * The kind of key in a certificate or key file, read from DER before native code signs with it or prints it. This
 * module parses only the AlgorithmIdentifier (RFC 5280, section 4.1.1.2).
 */

/** The algorithm of a key and, for elliptic-curve keys, the curve. */
export interface KeyKind {
  /** Object identifier in dotted form. */
  readonly algorithm: string
  /** Object identifier of the curve; {@link UNKNOWN_CURVE} for a curve without one; `null` for keys without a curve. */
  readonly curve: string | null
  /** Whether the curve is given by explicit parameters instead of a name. */
  readonly isExplicit: boolean
}

export const DSA: KeyKind = { algorithm: '1.2.840.10040.4.1', curve: null, isExplicit: false }
const EC = '1.2.840.10045.2.1'
const RSA = '1.2.840.113549.1.1.1'
export const RSA_PSS = '1.2.840.113549.1.1.10'

/**
 * Curves with a NIST name (FIPS 186-4, appendix D). For any other curve, Node 24.21.0 and 26.10.0 crash when they print
 * a certificate (`getPeerCertificate`, `toLegacyObject`): they call `strlen` on the missing NIST name. SM2 keys also
 * use a curve without a NIST name, and with some of them OpenSSL's signing never ends.
 */
const NIST_CURVES: ReadonlySet<string> = new Set([
  '1.2.840.10045.3.1.1', // P-192
  '1.3.132.0.33', // P-224
  '1.2.840.10045.3.1.7', // P-256
  '1.3.132.0.34', // P-384
  '1.3.132.0.35', // P-521
  '1.3.132.0.1', // K-163
  '1.3.132.0.15', // B-163
  '1.3.132.0.26', // K-233
  '1.3.132.0.27', // B-233
  '1.3.132.0.16', // K-283
  '1.3.132.0.17', // B-283
  '1.3.132.0.36', // K-409
  '1.3.132.0.37', // B-409
  '1.3.132.0.38', // K-571
  '1.3.132.0.39', // B-571
])

/** Key kinds that can sign a TLS handshake (RFC 8446, section 4.2.3; draft-ietf-tls-mldsa). */
const TLS_ALGORITHMS: ReadonlySet<string> = new Set([
  RSA,
  RSA_PSS,
  EC,
  '1.3.101.112', // Ed25519
  '1.3.101.113', // Ed448
  '2.16.840.1.101.3.4.3.17', // ML-DSA-44
  '2.16.840.1.101.3.4.3.18', // ML-DSA-65
  '2.16.840.1.101.3.4.3.19', // ML-DSA-87
])

/** Names for messages; other kinds are named by their object identifier. */
const NAMES: Readonly<Record<string, string>> = {
  [DSA.algorithm]: 'DSA',
  '1.2.840.113549.1.3.1': 'Diffie-Hellman',
  '1.2.840.10046.2.1': 'Diffie-Hellman',
  '1.3.101.110': 'X25519',
  '1.3.101.111': 'X448',
  '1.3.132.0.10': 'secp256k1',
  '1.2.156.10197.1.301': 'SM2',
  '1.3.36.3.3.2.8.1.1.3': 'brainpoolP192r1',
  '1.3.36.3.3.2.8.1.1.5': 'brainpoolP224r1',
  '1.3.36.3.3.2.8.1.1.7': 'brainpoolP256r1',
  '1.3.36.3.3.2.8.1.1.9': 'brainpoolP320r1',
  '1.3.36.3.3.2.8.1.1.11': 'brainpoolP384r1',
  '1.3.36.3.3.2.8.1.1.13': 'brainpoolP512r1',
}

/**
 * The key kind of an AlgorithmIdentifier.
 *
 * @throws RangeError if it is malformed.
 */
export function keyKindOf(der: Uint8Array, algorithmIdentifier: DerNode): KeyKind {
  const fields = childrenOf(der, algorithmIdentifier)
  const algorithm = oidOf(der, childOf(der, fields, 0, OBJECT_IDENTIFIER))
  if (algorithm !== EC) return { algorithm, curve: null, isExplicit: false }
  return ecKind(der, fields[1])
}

/** Kind of the key with ECParameters ::= CHOICE { namedCurve OBJECT IDENTIFIER, ... } (RFC 5480, section 2.1.1). */
export function ecKind(der: Uint8Array, parameters: DerNode | undefined): KeyKind {
  const isExplicit = parameters?.tag === SEQUENCE
  const named = parameters?.tag === OBJECT_IDENTIFIER ? oidOf(der, parameters) : null
  const curve = isExplicit ? explicitCurve(der, parameters) : named
  return { algorithm: EC, curve: curve ?? UNKNOWN_CURVE, isExplicit }
}

/** The key kind of a SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7). */
export function publicKeyKindOf(der: Uint8Array, publicKeyInfo: DerNode): KeyKind {
  return keyKindOf(der, childOf(der, childrenOf(der, publicKeyInfo), 0, SEQUENCE))
}

/**
 * Why a certificate with this key must not be loaded; `null` if it may. The curve rule is the same on every Node
 * version, so that all members of a fleet accept the same files; OpenSSL 3.0 cannot read ML-DSA keys at all.
 */
export function whyNotLoadable({ algorithm, curve }: KeyKind): string | null {
  if (algorithm !== EC) return whyTooRecent(algorithm)
  if (curve !== null && NIST_CURVES.has(curve)) return null
  if (curve === UNKNOWN_CURVE) {
    return 'its curve is given by explicit parameters instead of a name (RFC 5480 forbids that), and is not P-256, P-384 or P-521'
  }
  return `its curve ${nameOf(curve as string)} has no NIST name, and some versions of Node crash when they print it`
}

/**
 * Why OpenSSL verifies nothing with this CA key; `null` if it does. OpenSSL checks this in `check_curve` (x509_vfy.c).
 */
export function whyNotForIssuers({ isExplicit }: KeyKind): string | null {
  if (!isExplicit) return null
  return 'its curve is given by explicit parameters instead of a name (RFC 5480 forbids that), and OpenSSL refuses what it issued'
}

/** Why a private key of this kind cannot serve TLS; `null` if it can. */
export function whyNotForTls(kind: KeyKind): string | null {
  if (TLS_ALGORITHMS.has(kind.algorithm)) return whyNotLoadable(kind)
  return `TLS has no signature scheme for ${nameOf(kind.algorithm)} keys`
}

export function isRsa({ algorithm }: KeyKind): boolean {
  return algorithm === RSA || algorithm === RSA_PSS
}

export function isEc({ algorithm }: KeyKind): boolean {
  return algorithm === EC
}

function nameOf(oid: string): string {
  return NAMES[oid] ?? recentKeyName(oid) ?? oid
}

const UNKNOWN_CURVE = 'unknown'
