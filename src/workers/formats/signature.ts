import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto'

import { element } from './ber.js'
import type { SignedBytes } from './crl-fields.js'
import { childrenOf, type DerNode, nodeAt, oidOf } from './der.js'
import { CONTEXT_0, SEQUENCE } from './der-tags.js'
import { RSA_PSS } from './key-kinds.js'
import { signatureOid } from './x509.js'

/*
 * Signatures of revocation lists; Node verifies only those of certificates. The algorithms are those that OpenSSL 3.0
 * supports for X.509 (crypto/objects/obj_xref.txt).
 */

const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number)
const isAtLeast3_5 = major > 3 || (major === 3 && minor >= 5)

/** ECDSA with SHA-3: OpenSSL 3.0 does not support it for X.509 and refuses every client; 3.5 does. */
const DIGESTS_OF_3_5 = {
  '2.16.840.1.101.3.4.3.9': 'sha3-224',
  '2.16.840.1.101.3.4.3.10': 'sha3-256',
  '2.16.840.1.101.3.4.3.11': 'sha3-384',
  '2.16.840.1.101.3.4.3.12': 'sha3-512',
}

/** Digests of RSA (PKCS #1 v1.5), DSA and ECDSA signatures; `null` if the algorithm implies one. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.4': 'md5',
  '1.2.840.113549.1.1.5': 'sha1',
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '2.16.840.1.101.3.4.3.13': 'sha3-224',
  '2.16.840.1.101.3.4.3.14': 'sha3-256',
  '2.16.840.1.101.3.4.3.15': 'sha3-384',
  '2.16.840.1.101.3.4.3.16': 'sha3-512',
  '1.2.840.10040.4.3': 'sha1',
  '2.16.840.1.101.3.4.3.1': 'sha224',
  '2.16.840.1.101.3.4.3.2': 'sha256',
  '1.2.840.10045.4.1': 'sha1',
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
  '1.3.101.113': null,
  ...(isAtLeast3_5 ? DIGESTS_OF_3_5 : {}),
}

/**
 * RSA with MD2, MD4, MD5, SHA-0, SHA-1 under an older identifier, RIPEMD-160 or MDC-2. OpenSSL verifies none of them by
 * default, but recognizes RSA, so a certificate whose two names are equal counts as a root (`check_sig_alg_match`).
 */
const OBSOLETE: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.3',
  '1.3.14.3.2.3',
  '1.3.14.3.2.15',
  '1.3.14.3.2.29',
  '1.3.36.3.3.1.2',
  '2.5.8.3.100',
])

/** Whether a certificate is signed by RSA with an {@link OBSOLETE} digest. */
export function isObsoleteSignature(certificate: Uint8Array): boolean {
  return OBSOLETE.has(signatureOid(certificate))
}

/** `unknown` if the signature cannot be checked. */
export type SignatureVerdict = 'valid' | 'invalid' | 'unknown'

/** Whether this key signed these bytes. */
export function verifySignature(signed: SignedBytes, key: KeyObject): SignatureVerdict {
  const { algorithm, bytes, signature } = signed
  try {
    const [id, parameters] = childrenOf(algorithm, nodeAt(algorithm, 0))
    const oid = oidOf(algorithm, id as DerNode)
    if (oid === RSA_PSS) return verdict(verifyPss(signed, parameters, key))
    const digest = DIGESTS[oid]
    if (digest === undefined) return 'unknown'
    return verdict(verify(digest, bytes, key, signature))
  } catch {
    // The key does not fit the algorithm, or OpenSSL refuses the parameters.
    return 'invalid'
  }
}

/** Digests of RSASSA-PSS by object identifier; SHA-1 is the default (RFC 4055, section 3.1). */
export const HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
  '2.16.840.1.101.3.4.2.5': 'sha512-224',
  '2.16.840.1.101.3.4.2.6': 'sha512-256',
}

/**
 * RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, maskGenAlgorithm [1] DEFAULT mgf1SHA1, saltLength
 * [2] DEFAULT 20, trailerField [3] DEFAULT 1 }. Node has no option for the mask digest but takes it from a key with
 * bound parameters, so a plain RSA key is bound to those of the signature.
 */
function verifyPss(
  { algorithm, bytes, signature }: SignedBytes,
  parameters: DerNode | undefined,
  key: KeyObject,
): boolean {
  const fields = parameters?.tag === SEQUENCE ? childrenOf(algorithm, parameters) : []
  const fieldOf = (number: number) => {
    const field = fields.find(({ tag }) => tag === CONTEXT_0 + number)
    return field && childrenOf(algorithm, field)[0]
  }
  const [hash, salt, trailer] = [fieldOf(0), fieldOf(2), fieldOf(3)]
  const digest = hash ? HASHES[oidOf(algorithm, childrenOf(algorithm, hash)[0] as DerNode)] : 'sha1'
  if (digest === undefined || (trailer && numberIn(algorithm, trailer) !== 1)) return false
  const saltLength = salt ? numberIn(algorithm, salt) : 20
  const bound = key.asymmetricKeyType === 'rsa' ? boundTo(algorithm, key) : key
  return verify(
    digest,
    bytes,
    { key: bound, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength },
    signature,
  )
}

/** SubjectPublicKeyInfo ::= SEQUENCE { algorithm, subjectPublicKey BIT STRING }, with another algorithm. */
function boundTo(algorithm: Uint8Array, key: KeyObject): KeyObject {
  const der = key.export({ type: 'spki', format: 'der' })
  const info = nodeAt(der, 0)
  const [own] = childrenOf(der, info) as [DerNode]
  const bound = element(SEQUENCE, [algorithm, der.subarray(own.to)])
  return createPublicKey({ key: bound, type: 'spki', format: 'der' })
}

function numberIn(der: Uint8Array, { from, to }: DerNode): number {
  if (to - from > 4) throw new RangeError('number is out of range')
  return der.subarray(from, to).reduce((sum, byte) => sum * 256 + byte, 0)
}

function verdict(isValid: boolean): SignatureVerdict {
  return isValid ? 'valid' : 'invalid'
}
