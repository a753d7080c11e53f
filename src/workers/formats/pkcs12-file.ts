import { derFromBer } from './ber.js'
import { childOf, childrenOf, type DerNode, expectTag, nodeAt, oidOf } from './der.js'
import { CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET } from './der-tags.js'
import { type DerivationBudget, TooCostly } from './derivation-budget.js'
import { decrypt } from './encryption.js'
import { algorithmOf, asStructure, bytesOf, EncryptionError, numberOf } from './encryption-fields.js'
import { type Mac, macOf, verifiedPassphrase } from './pkcs12-mac.js'

/*
 * The structure of a PKCS#12 file (RFC 7292, section 4). Each layer is converted from BER to DER before it is read, so
 * that the parameters that are checked are the ones used.
 */

/** Content of the bags; every buffer is a separate copy. */
export interface Bags {
  /** DER of X.509 certificates. */
  readonly certificates: readonly Buffer[]
  readonly keys: readonly KeyBag[]
  /** In the variant that opened the file. */
  readonly passphrase: Uint8Array | null
  /** Whether the file has a MAC, which was verified. */
  readonly hasMac: boolean
  /** Whether Java marked a certificate as trusted. */
  readonly isTruststore: boolean
  /** Why a part of the file is not read: its cipher needs OpenSSL's legacy provider. `null` if everything is read. */
  readonly locked: EncryptionError | null
}

export interface KeyBag {
  /** DER of PKCS#8. */
  readonly der: Buffer
  readonly isEncrypted: boolean
}

/**
 * Reads the bags and verifies the MAC, if there is one, with the passphrase.
 *
 * @throws EncryptionError
 * @throws TooCostly when the budget does not allow the derivations.
 */
export function readBags(file: Uint8Array, passphrase: Uint8Array | null, budget: DerivationBudget): Bags {
  const { content, mac } = asStructure(() => partsOf(file))
  const proven = mac ? verifiedPassphrase(mac, content, passphrase, budget) : passphrase
  const found: Found = { certificates: [], keys: [], bags: 0, isTruststore: false }
  const safes = asStructure(() => derFromBer(content))
  let locked: EncryptionError | null = null
  for (const info of asStructure(() => childrenOf(safes, nodeAt(safes, 0)))) {
    let bags: Buffer
    try {
      bags = safeContents(safes, info, proven, mac === null, budget)
    } catch (error) {
      if (!(error instanceof EncryptionError) || error.reason !== 'legacy') throw error
      // Go on: the other parts show whether the file holds a key.
      locked ??= error
      continue
    }
    try {
      asStructure(() => readSafeContents(bags, nodeAt(bags, 0), found, 0))
    } finally {
      bags.fill(0)
    }
  }
  return { ...found, passphrase: proven, hasMac: mac !== null, locked }
}

interface Found {
  readonly certificates: Buffer[]
  readonly keys: KeyBag[]
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
  return { content, mac: fields[2] ? macOf(der, expectTag(der, fields[2], SEQUENCE)) : null }
}

/** ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }. */
function contentInfo(der: Uint8Array, info: DerNode): { id: string; value: DerNode } {
  const { id, parameters } = algorithmOf(der, info)
  return { id, value: onlyChild(der, expectTag(der, parameters, CONTEXT_0)) }
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
    if (!type || !scheme || !content) throw new RangeError('not encrypted content')
    return { algorithm: expectTag(der, scheme, SEQUENCE), data: octetsOf(der, content) }
  })
  let plain: Buffer | undefined
  try {
    plain = decrypt(der, algorithm, data, passphrase, budget)
    return derFromBer(plain)
  } catch (error) {
    const isKnown =
      error instanceof TooCostly || (error instanceof EncryptionError && error.reason !== 'passphrase')
    if (isKnown) throw error
    const otherCause = isUnproven
      ? ', or the file is damaged (it has no MAC to check)'
      : otherPassphrase('a part of the file')
    throw new EncryptionError('passphrase', 'the passphrase does not decrypt it', otherCause)
  } finally {
    plain?.fill(0)
  }
}

/** For a file whose MAC matches the passphrase: OpenSSL uses one passphrase for both. */
export function otherPassphrase(what: string): string {
  return `: it fits the MAC, but not ${what}, which has another one or is damaged; export the file again with one passphrase for all`
}

const KEY_BAG = '1.2.840.113549.1.12.10.1.1'
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2'
const CERT_BAG = '1.2.840.113549.1.12.10.1.3'
const SAFE_CONTENTS_BAG = '1.2.840.113549.1.12.10.1.6'
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'

/** Real files have a handful. */
const MAX_BAGS = 1000
const MAX_DEPTH = 4

/** SafeContents ::= SEQUENCE OF SafeBag { bagId, bagValue [0] EXPLICIT ANY, attributes OPTIONAL }. */
function readSafeContents(der: Uint8Array, node: DerNode, found: Found, depth: number): void {
  if (depth > MAX_DEPTH) {
    throw new EncryptionError('unsupported', `its safes are nested more than ${MAX_DEPTH} deep`)
  }
  for (const bag of childrenOf(der, node)) {
    if (++found.bags > MAX_BAGS) {
      throw new EncryptionError('unsupported', `it holds more than ${MAX_BAGS} bags`)
    }
    const fields = childrenOf(der, bag)
    const id = oidOf(der, childOf(der, fields, 0, OBJECT_IDENTIFIER))
    const wrapped = childOf(der, fields, 1, CONTEXT_0)
    const value = onlyChild(der, wrapped)
    if (id === KEY_BAG || id === SHROUDED_KEY_BAG) {
      found.keys.push({ der: Buffer.from(bytesOf(der, wrapped)), isEncrypted: id === SHROUDED_KEY_BAG })
    }
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

/** CertBag ::= SEQUENCE { certId OBJECT IDENTIFIER, certValue [0] EXPLICIT OCTET STRING }; `null` unless it is X.509. */
function certificateIn(der: Uint8Array, value: DerNode): Buffer | null {
  const { id, value: certificate } = contentInfo(der, value)
  return id === X509_CERTIFICATE ? octetsOf(der, certificate) : null
}

function onlyChild(der: Uint8Array, node: DerNode): DerNode {
  const [child, ...others] = childrenOf(der, node)
  if (!child || others.length > 0) throw new RangeError('not a single element')
  return child
}

/** The content of an octet string. If implicitly tagged, it may still be constructed. */
function octetsOf(der: Uint8Array, node: DerNode): Buffer {
  if (node.tag === OCTET_STRING || node.tag === PRIMITIVE_0) return Buffer.from(bytesOf(der, node))
  if (node.tag !== CONTEXT_0) throw new RangeError('not an octet string')
  const pieces = childrenOf(der, node)
  return Buffer.concat(pieces.map((piece) => bytesOf(der, expectTag(der, piece, OCTET_STRING))))
}

const PRIMITIVE_0 = 0x80
