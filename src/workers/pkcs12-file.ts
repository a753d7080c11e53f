import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

import { derFromBer } from './ber.js'
import { childOf, childrenOf, type DerNode, expected, nodeAt, oidOf } from './der.js'
import { CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET } from './der-tags.js'
import { type DerivationBudget, TooCostly } from './derivation-budget.js'
import { type Derivation, decrypt, PBKDF2, PRFS, pbkdf2Derivation, pkcs12Derivation } from './encryption.js'
import {
  algorithmOf,
  asStructure,
  bytesOf,
  EncryptionError,
  MOST_SALT_BYTES,
  notAvailable,
  numberOf,
} from './encryption-fields.js'
import type { KdfDigest } from './pkcs12-kdf.js'

/*
 * The structure of a PKCS#12 file (RFC 7292, section 4). Each layer is turned from BER into DER before it is read, so
 * that the parameters that were bounded are the parameters that are used.
 */

/** What lies in the bags; every buffer is a copy of its own. */
export interface Bags {
  /** DER of X.509 certificates. */
  readonly certificates: readonly Buffer[]
  /** DER of unencrypted PKCS#8 keys. */
  readonly keys: readonly Buffer[]
  /** DER of encrypted PKCS#8 keys, and the passphrase in the form that the file took. */
  readonly shroudedKeys: readonly Buffer[]
  readonly passphrase: Uint8Array | null
  /** Whether the file has a MAC, which was then verified. */
  readonly hasMac: boolean
  /** Whether Java has marked a certificate as trusted. */
  readonly isTruststore: boolean
}

/**
 * The bags of a file whose integrity the passphrase proves, where it has a MAC.
 *
 * @throws EncryptionError
 * @throws TooCostly when the budget does not allow the derivations.
 */
export function readBags(file: Uint8Array, passphrase: Uint8Array | null, budget: DerivationBudget): Bags {
  const { content, mac } = asStructure(() => partsOf(file))
  const proven = mac ? provenPassphrase(mac, content, passphrase, budget) : passphrase
  const found: Found = { certificates: [], keys: [], shroudedKeys: [], bags: 0, isTruststore: false }
  const safes = asStructure(() => derFromBer(content))
  for (const info of asStructure(() => childrenOf(safes, nodeAt(safes, 0)))) {
    const bags = safeContents(safes, info, proven, mac === null, budget)
    try {
      asStructure(() => readSafeContents(bags, nodeAt(bags, 0), found, 0))
    } finally {
      bags.fill(0)
    }
  }
  return { ...found, passphrase: proven, hasMac: mac !== null }
}

interface Found {
  readonly certificates: Buffer[]
  readonly keys: Buffer[]
  readonly shroudedKeys: Buffer[]
  bags: number
  isTruststore: boolean
}

const DATA = '1.2.840.113549.1.7.1'
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6'

/** PFX ::= SEQUENCE { version INTEGER (3), authSafe ContentInfo, macData OPTIONAL }. */
function partsOf(file: Uint8Array): { content: Buffer; mac: Mac | null } {
  const der = derFromBer(file)
  const fields = childrenOf(der, nodeAt(der, 0))
  if (fields.length > 3 || numberOf(der, childOf(der, fields, 0, INTEGER)) !== 3) {
    throw new RangeError('not a PKCS#12 file')
  }
  const info = childOf(der, fields, 1, SEQUENCE)
  const { id, value } = contentInfo(der, info)
  if (id !== DATA)
    throw new EncryptionError('unsupported', 'it is signed with a public key, which is not supported')
  const content = octetsOf(der, value)
  return { content, mac: fields[2] ? macOf(der, expected(der, fields[2], SEQUENCE)) : null }
}

/** ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }. */
function contentInfo(der: Uint8Array, info: DerNode): { id: string; value: DerNode } {
  const { id, parameters } = algorithmOf(der, info)
  return { id, value: onlyChild(der, expected(der, parameters, CONTEXT_0)) }
}

/** The SafeContents of one ContentInfo, decrypted, as DER. */
function safeContents(
  der: Uint8Array,
  info: DerNode,
  passphrase: Uint8Array | null,
  isUnproven: boolean,
  budget: DerivationBudget,
): Buffer {
  const { id, value } = asStructure(() => contentInfo(der, info))
  if (id === DATA) return asStructure(() => derFromBer(octetsOf(der, value)))
  if (id !== ENCRYPTED_DATA) throw new EncryptionError('unsupported', `its content ${id} is not supported`)
  // EncryptedData ::= SEQUENCE { version, SEQUENCE { contentType, algorithm, [0] IMPLICIT OCTET STRING } }
  const { algorithm, data } = asStructure(() => {
    const encrypted = childOf(der, childrenOf(der, value), 1, SEQUENCE)
    const [type, scheme, content] = childrenOf(der, encrypted)
    if (!type || !scheme || !content) throw new RangeError('no encrypted content')
    return { algorithm: expected(der, scheme, SEQUENCE), data: octetsOf(der, content) }
  })
  let plain: Buffer | undefined
  try {
    plain = decrypt(der, algorithm, data, passphrase, budget)
    return derFromBer(plain)
  } catch (error) {
    const isKnown =
      error instanceof TooCostly || (error instanceof EncryptionError && error.reason !== 'passphrase')
    if (isKnown) throw error
    const doubt = isUnproven ? ', or the file is damaged: it has no MAC that would tell' : ''
    throw new EncryptionError('passphrase', 'the passphrase does not decrypt it', doubt)
  } finally {
    plain?.fill(0)
  }
}

const KEY_BAG = '1.2.840.113549.1.12.10.1.1'
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2'
const CERT_BAG = '1.2.840.113549.1.12.10.1.3'
const SAFE_CONTENTS_BAG = '1.2.840.113549.1.12.10.1.6'
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'

/** Real files have a handful. */
const MOST_BAGS = 1000
const DEEPEST = 4

/** SafeContents ::= SEQUENCE OF SafeBag { bagId, bagValue [0] EXPLICIT ANY, attributes OPTIONAL }. */
function readSafeContents(der: Uint8Array, node: DerNode, found: Found, depth: number): void {
  if (depth > DEEPEST) throw new RangeError('safes are nested too deep')
  for (const bag of childrenOf(der, node)) {
    if (++found.bags > MOST_BAGS) {
      throw new EncryptionError('unsupported', `it holds more than ${MOST_BAGS} bags`)
    }
    const fields = childrenOf(der, bag)
    const id = oidOf(der, childOf(der, fields, 0, OBJECT_IDENTIFIER))
    const wrapped = childOf(der, fields, 1, CONTEXT_0)
    const value = onlyChild(der, wrapped)
    const whole = Buffer.from(bytesOf(der, wrapped))
    if (id === KEY_BAG) found.keys.push(whole)
    if (id === SHROUDED_KEY_BAG) found.shroudedKeys.push(whole)
    if (id === CERT_BAG) {
      const certificate = certificateIn(der, value)
      if (certificate) found.certificates.push(certificate)
      found.isTruststore ||= isMarkedAsTrusted(der, fields[2])
    }
    if (id === SAFE_CONTENTS_BAG) readSafeContents(der, value, found, depth + 1)
  }
}

/** The attribute that Java gives to a certificate without a key (`oracle.security.pkcs12.trustedKeyUsage`). */
const TRUSTED_KEY_USAGE = '2.16.840.1.113894.746875.1.1'

/** attributes ::= SET OF SEQUENCE { attrId OBJECT IDENTIFIER, attrValues SET }. */
function isMarkedAsTrusted(der: Uint8Array, attributes: DerNode | undefined): boolean {
  if (attributes?.tag !== SET) return false
  return childrenOf(der, attributes).some((attribute) => {
    const [id] = childrenOf(der, attribute)
    return id !== undefined && oidOf(der, id) === TRUSTED_KEY_USAGE
  })
}

/** CertBag ::= SEQUENCE { certId OBJECT IDENTIFIER, certValue [0] EXPLICIT OCTET STRING }; other kinds than X.509 are left out. */
function certificateIn(der: Uint8Array, value: DerNode): Buffer | null {
  const { id, value: certificate } = contentInfo(der, value)
  return id === X509_CERTIFICATE ? octetsOf(der, certificate) : null
}

interface Mac {
  readonly derivation: Derivation
  readonly digest: string
  readonly expected: Buffer
}

const PBMAC1 = '1.2.840.113549.1.5.14'

/** MacData ::= SEQUENCE { DigestInfo { algorithm, digest OCTET STRING }, macSalt, iterations DEFAULT 1 }. */
function macOf(der: Uint8Array, node: DerNode): Mac {
  const fields = childrenOf(der, node)
  const info = childrenOf(der, childOf(der, fields, 0, SEQUENCE))
  const algorithm = algorithmOf(der, childOf(der, info, 0, SEQUENCE))
  const expected = Buffer.from(bytesOf(der, childOf(der, info, 1, OCTET_STRING), 64))
  if (algorithm.id === PBMAC1) return { ...pbmac1(der, algorithm.parameters), expected }
  const digest = DIGESTS[algorithm.id]
  if (!digest) throw new EncryptionError('unsupported', `its MAC ${algorithm.id} is not supported`)
  assertAvailable(digest)
  const salt = bytesOf(der, childOf(der, fields, 1, OCTET_STRING), MOST_SALT_BYTES)
  const iterations = fields[2] ? numberOf(der, childOf(der, fields, 2, INTEGER)) : 1
  if (fields.length > 3) throw new RangeError('no MAC')
  return {
    derivation: pkcs12Derivation(digest, salt, iterations, 3, digest.bytes),
    digest: digest.name,
    expected,
  }
}

/** PBMAC1-params ::= SEQUENCE { keyDerivationFunc, messageAuthScheme } (RFC 9579). */
function pbmac1(der: Uint8Array, parameters: DerNode | undefined): Omit<Mac, 'expected'> {
  const fields = childrenOf(der, expected(der, parameters, SEQUENCE))
  const kdf = algorithmOf(der, childOf(der, fields, 0, SEQUENCE))
  const scheme = PRFS[algorithmOf(der, childOf(der, fields, 1, SEQUENCE)).id]
  if (kdf.id !== PBKDF2 || !scheme) {
    throw new EncryptionError('unsupported', 'its MAC is not supported')
  }
  // RFC 9579, section 7: the length of the key is in the parameters, and it is that of the digest.
  return { derivation: pbkdf2Derivation(der, kdf.parameters, scheme.bytes), digest: scheme.name }
}

/** Without a passphrase, programs derive from nothing, or from an empty text: OpenSSL tries both, in this order. */
function provenPassphrase(
  { derivation, digest, expected }: Mac,
  content: Uint8Array,
  passphrase: Uint8Array | null,
  budget: DerivationBudget,
): Uint8Array | null {
  const candidates = passphrase?.length ? [passphrase] : [null, Buffer.alloc(0)]
  for (const candidate of candidates) {
    budget.spend(derivation)
    const key = derivation.derive(candidate)
    const mac = createHmac(digest, key).update(content).digest()
    key.fill(0)
    if (mac.length === expected.length && timingSafeEqual(mac, expected)) return candidate
  }
  throw new EncryptionError('passphrase', 'the passphrase does not open it')
}

function onlyChild(der: Uint8Array, node: DerNode): DerNode {
  const [child, ...others] = childrenOf(der, node)
  if (!child || others.length > 0) throw new RangeError('not one element')
  return child
}

/** The content of an octet string. One that is implicitly tagged may still come in pieces. */
function octetsOf(der: Uint8Array, node: DerNode): Buffer {
  if (node.tag === OCTET_STRING || node.tag === PRIMITIVE_0) return Buffer.from(bytesOf(der, node))
  if (node.tag !== CONTEXT_0) throw new RangeError('no octet string')
  const pieces = childrenOf(der, node)
  return Buffer.concat(pieces.map((piece) => bytesOf(der, expected(der, piece, OCTET_STRING))))
}

const PRIMITIVE_0 = 0x80

/** Digests of the MAC. A digest beside SHA-1 is what OpenSSL 3, GnuTLS and Java write today. */
const DIGESTS: Readonly<Record<string, KdfDigest>> = {
  '1.2.840.113549.2.4': { name: 'md4', bytes: 16, blockBytes: 64 },
  '1.2.840.113549.2.5': { name: 'md5', bytes: 16, blockBytes: 64 },
  '1.3.14.3.2.26': { name: 'sha1', bytes: 20, blockBytes: 64 },
  '1.3.36.3.2.1': { name: 'ripemd160', bytes: 20, blockBytes: 64 },
  '1.0.10118.3.0.55': { name: 'whirlpool', bytes: 64, blockBytes: 64 },
  '1.2.156.10197.1.401': { name: 'sm3', bytes: 32, blockBytes: 64 },
  '1.3.6.1.4.1.1722.12.2.1.16': { name: 'blake2b512', bytes: 64, blockBytes: 128 },
  '1.3.6.1.4.1.1722.12.2.2.8': { name: 'blake2s256', bytes: 32, blockBytes: 64 },
  '2.16.840.1.101.3.4.2.4': { name: 'sha224', bytes: 28, blockBytes: 64 },
  '2.16.840.1.101.3.4.2.1': { name: 'sha256', bytes: 32, blockBytes: 64 },
  '2.16.840.1.101.3.4.2.2': { name: 'sha384', bytes: 48, blockBytes: 128 },
  '2.16.840.1.101.3.4.2.3': { name: 'sha512', bytes: 64, blockBytes: 128 },
  '2.16.840.1.101.3.4.2.5': { name: 'sha512-224', bytes: 28, blockBytes: 128 },
  '2.16.840.1.101.3.4.2.6': { name: 'sha512-256', bytes: 32, blockBytes: 128 },
  '2.16.840.1.101.3.4.2.7': { name: 'sha3-224', bytes: 28, blockBytes: 144 },
  '2.16.840.1.101.3.4.2.8': { name: 'sha3-256', bytes: 32, blockBytes: 136 },
  '2.16.840.1.101.3.4.2.9': { name: 'sha3-384', bytes: 48, blockBytes: 104 },
  '2.16.840.1.101.3.4.2.10': { name: 'sha3-512', bytes: 64, blockBytes: 72 },
}

/** Digests of OpenSSL's legacy provider. */
const LEGACY_DIGESTS = new Set(['md4', 'whirlpool'])

function assertAvailable({ name }: KdfDigest): void {
  try {
    createHash(name)
  } catch {
    throw notAvailable(`its MAC is made with ${name}`, LEGACY_DIGESTS.has(name))
  }
}
