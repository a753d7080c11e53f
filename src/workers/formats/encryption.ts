import { createDecipheriv, pbkdf2Sync, scryptSync } from 'node:crypto'

import { childOf, type DerNode, expectTag } from './der.js'
import { INTEGER, OCTET_STRING, SEQUENCE } from './der-tags.js'
import type { DerivationBudget, Work } from './derivation-budget.js'
import {
  algorithmOf,
  asStructure,
  bytesOf,
  EncryptionError,
  fieldsOf,
  MAX_SALT_BYTES,
  notAvailable,
  numberOf,
  unsupported,
} from './encryption-fields.js'
import { hasFastRounds, hashRounds } from './hash-rounds.js'
import {
  CAST5,
  CAST5_CBC,
  type Cipher,
  PBE_SCHEMES,
  PBES2_CIPHERS,
  RC2_CBC,
  RC2_VERSIONS,
  whyNotAvailable,
} from './pbe-ciphers.js'
import { bmpPassword, type KdfDigest, pkcs12Kdf } from './pkcs12-kdf.js'

/*
 * Passphrase-based encryption: PBES2 with PBKDF2 or scrypt (RFC 8018, RFC 7914), PBES1, and the PKCS#12 schemes (RFC
 * 7292, appendix C). Parameters are read as strict DER, by structure, and derivation uses only the values read: native
 * code never sees the originals, because OpenSSL derives in one call that cannot be aborted.
 */

export interface Derivation extends Work {
  derive(passphrase: Uint8Array | null): Buffer
}

/**
 * Decrypts data as its AlgorithmIdentifier specifies.
 *
 * @param passphrase `null` for none, which PKCS#12 distinguishes from an empty one.
 * @throws EncryptionError
 * @throws TooCostly when the budget does not allow the derivation.
 */
export function decrypt(
  der: Uint8Array,
  algorithmIdentifier: DerNode,
  data: Uint8Array,
  passphrase: Uint8Array | null,
  budget: DerivationBudget,
): Buffer {
  const { cipher, key, iv } = asStructure(() => schemeOf(der, algorithmIdentifier))
  for (const derivation of [key, iv]) if ('derive' in derivation) budget.spend(derivation)
  const secrets = [key, iv].map((from) => ('derive' in from ? from.derive(passphrase) : Buffer.from(from)))
  try {
    const iv = cipher.ivBytes === 0 ? null : (secrets[1] as Buffer)
    const decipher = createDecipheriv(cipher.name, secrets[0] as Buffer, iv)
    const parts = secrets.length
    secrets.push(decipher.update(data))
    secrets.push(decipher.final())
    return Buffer.concat(secrets.slice(parts))
  } catch {
    throw new EncryptionError('passphrase', 'the passphrase does not decrypt it')
  } finally {
    for (const secret of secrets) secret.fill(0)
  }
}

/** Cost of {@link decrypt}, which throws if the parameters cannot be read. */
export function workOf(der: Uint8Array, algorithmIdentifier: DerNode): number {
  const { key, iv } = schemeOf(der, algorithmIdentifier)
  return key.cost + ('cost' in iv ? iv.cost : 0)
}

interface Scheme {
  readonly cipher: Cipher
  readonly key: Derivation
  readonly iv: Derivation | Uint8Array
}

const PBES2 = '1.2.840.113549.1.5.13'

function schemeOf(der: Uint8Array, node: DerNode): Scheme {
  const { id, parameters } = algorithmOf(der, node)
  if (id === PBES2) return pbes2(der, parameters)
  const pbe = PBE_SCHEMES[id]
  if (!pbe) throw unsupported(`encryption ${id}`)
  const { cipher, kdf } = pbe
  assertAvailable(cipher)
  const [salt, iterations] = saltAndIterations(der, parameters)
  if (kdf !== 'pkcs12') {
    const key = (from: number, to: number) => pbkdf1Derivation(kdf, salt, iterations, from, to)
    return { cipher, key: key(0, 8), iv: key(8, 16) }
  }
  const derivation = (purpose: 1 | 2, bytes: number) =>
    pkcs12Derivation(SHA1, salt, iterations, purpose, bytes)
  const iv = cipher.ivBytes === 0 ? NOTHING : derivation(2, cipher.ivBytes)
  return { cipher, key: derivation(1, cipher.keyBytes), iv }
}

const NOTHING = new Uint8Array()

function assertAvailable(cipher: Cipher): void {
  const why = whyNotAvailable(cipher)
  if (why !== null) throw notAvailable(`it is encrypted with ${cipher.name}`, why === 'legacy')
}

/** PBES2-params ::= SEQUENCE { keyDerivationFunc, encryptionScheme } (RFC 8018, appendix A.4). */
function pbes2(der: Uint8Array, parameters: DerNode | undefined): Scheme {
  const fields = fieldsOf(der, parameters, 2)
  const kdf = algorithmOf(der, childOf(der, fields, 0, SEQUENCE))
  const { cipher, iv } = encryptionOf(der, childOf(der, fields, 1, SEQUENCE))
  assertAvailable(cipher)
  if (iv.length !== cipher.ivBytes) throw new RangeError('initialisation vector has the wrong length')
  if (kdf.id === PBKDF2) return { cipher, iv, key: pbkdf2Derivation(der, kdf.parameters, cipher.keyBytes) }
  if (kdf.id === SCRYPT) return { cipher, iv, key: scryptDerivation(der, kdf.parameters, cipher.keyBytes) }
  throw unsupported(`key derivation ${kdf.id}`)
}

function encryptionOf(der: Uint8Array, node: DerNode): { cipher: Cipher; iv: Uint8Array } {
  const { id, parameters } = algorithmOf(der, node)
  if (id === RC2_CBC) {
    const [version, iv] = fieldsOf(der, parameters, 2)
    const cipher = RC2_VERSIONS[numberOf(der, expectTag(der, version, INTEGER))]
    if (!cipher) throw unsupported(`cipher ${id}`)
    return { cipher, iv: bytesOf(der, expectTag(der, iv, OCTET_STRING)) }
  }
  const cipher = id === CAST5_CBC ? CAST5 : PBES2_CIPHERS[id]
  if (!cipher) throw unsupported(`cipher ${id}`)
  return { cipher, iv: bytesOf(der, expectTag(der, parameters, OCTET_STRING)) }
}

/** PBKDF1 (RFC 8018, section 5.1): the first 8 bytes are the key, the next 8 the initialisation vector. */
function pbkdf1Derivation(
  digest: string,
  salt: Uint8Array,
  iterations: number,
  from: number,
  to: number,
): Derivation {
  return {
    cost: iterations * unitsOf(digest),
    effort: `${iterations} iterations`,
    derive(passphrase) {
      const first = Buffer.concat([passphrase ?? NOTHING, salt])
      const derived = hashRounds(digest, first, iterations)
      first.fill(0)
      return derived.subarray(from, to)
    },
  }
}

export const PBKDF2 = '1.2.840.113549.1.5.12'
const SCRYPT = '1.3.6.1.4.1.11591.4.11'

/**
 * PBKDF2-params ::= SEQUENCE { salt OCTET STRING, iterationCount, keyLength OPTIONAL, prf DEFAULT hmacWithSHA1 }
 * (RFC 8018, appendix A.2).
 */
export function pbkdf2Derivation(
  der: Uint8Array,
  parameters: DerNode | undefined,
  keyBytes: number,
): Derivation {
  const fields = fieldsOf(der, parameters, 4)
  const salt = bytesOf(der, childOf(der, fields, 0, OCTET_STRING), MAX_SALT_BYTES)
  const iterations = numberOf(der, childOf(der, fields, 1, INTEGER))
  const rest = fields.slice(2)
  if (rest[0]?.tag === INTEGER) {
    if (numberOf(der, rest.shift() as DerNode) !== keyBytes) throw new RangeError('key has the wrong length')
  }
  if (rest.length > 1) throw new RangeError('too many parameters')
  const id = rest[0] ? algorithmOf(der, expectTag(der, rest[0], SEQUENCE)).id : HMAC_SHA1
  const prf = PRFS[id]
  if (!prf) throw unsupported(`function ${id} of PBKDF2`)
  const blocks = Math.ceil(keyBytes / prf.bytes)
  return {
    cost: iterations * blocks * (prf.blockBytes > 64 ? 2 : 1),
    effort: `${iterations} iterations`,
    derive: (passphrase) => pbkdf2Sync(passphrase ?? '', salt, iterations, keyBytes, prf.name),
  }
}

/** Key length in the PBKDF2 parameters; `null` if they leave it to the cipher or MAC. */
export function pbkdf2KeyBytes(der: Uint8Array, parameters: DerNode | undefined): number | null {
  const field = fieldsOf(der, parameters, 4)[2]
  return field?.tag === INTEGER ? numberOf(der, field) : null
}

/** scrypt-params ::= SEQUENCE { salt, costParameter, blockSize, parallelizationParameter, keyLength OPTIONAL } (RFC 7914, section 7). */
function scryptDerivation(der: Uint8Array, parameters: DerNode | undefined, keyBytes: number): Derivation {
  const fields = fieldsOf(der, parameters, 5)
  const salt = bytesOf(der, childOf(der, fields, 0, OCTET_STRING), MAX_SALT_BYTES)
  const [N, r, p] = [1, 2, 3].map((i) => numberOf(der, childOf(der, fields, i, INTEGER))) as [
    number,
    number,
    number,
  ]
  if (fields[4] && numberOf(der, expectTag(der, fields[4], INTEGER)) !== keyBytes) {
    throw new RangeError('key has the wrong length')
  }
  if (!Number.isInteger(Math.log2(N)) || N < 2) throw new RangeError('scrypt cost is not a power of two')
  if (128 * r * (N + p + 2) > MAX_SCRYPT_BYTES) {
    throw unsupported(`scrypt with more than ${MAX_SCRYPT_BYTES / 1024 / 1024} MiB of memory`)
  }
  return {
    cost: r * p * (N * SCRYPT_UNITS + SCRYPT_BLOCK_UNITS),
    effort: `scrypt with N = ${N}, r = ${r}, p = ${p}`,
    derive: (passphrase) =>
      scryptSync(passphrase ?? '', salt, keyBytes, { N, r, p, maxmem: 2 * MAX_SCRYPT_BYTES }),
  }
}

/** OpenSSL's default limit (`SCRYPT_MAX_MEM`). */
const MAX_SCRYPT_BYTES = 32 * 1024 * 1024
/** N * r * p = 131,072 takes 34 to 90 ms, as long as about 150,000 iterations of PBKDF2. */
const SCRYPT_UNITS = 1.5
/** Scrypt starts with one PBKDF2 iteration per 32 of 128 * r * p bytes. */
const SCRYPT_BLOCK_UNITS = 8

export function pkcs12Derivation(
  digest: KdfDigest,
  salt: Uint8Array,
  iterations: number,
  purpose: 1 | 2 | 3,
  bytes: number,
): Derivation {
  return {
    cost: iterations * Math.ceil(bytes / digest.bytes) * unitsOf(digest.name),
    effort: `${iterations} iterations`,
    derive(passphrase) {
      const password = bmpPassword(passphrase)
      const derived = pkcs12Kdf(digest, password, salt, iterations, purpose, bytes)
      password.fill(0)
      return derived
    },
  }
}

/**
 * A JavaScript call per iteration takes 1.5 to 3.5 µs, an iteration of a fast loop 0.3 to 0.6 µs, one in PBKDF2 0.2 to
 * 0.4 µs.
 */
function unitsOf(digest: string): number {
  return hasFastRounds(digest) ? 1.5 : 8
}

/** pkcs-12PbeParams ::= SEQUENCE { salt OCTET STRING, iterations INTEGER } (RFC 7292, appendix C). */
function saltAndIterations(der: Uint8Array, parameters: DerNode | undefined): [Uint8Array, number] {
  const fields = fieldsOf(der, parameters, 2)
  const salt = bytesOf(der, childOf(der, fields, 0, OCTET_STRING), MAX_SALT_BYTES)
  return [salt, numberOf(der, childOf(der, fields, 1, INTEGER))]
}

const HMAC_SHA1 = '1.2.840.113549.2.7'
const SHA1: KdfDigest = { name: 'sha1', bytes: 20, blockBytes: 64 }

/** HMACs of PBKDF2 (RFC 8018, appendix B.1). */
export const PRFS: Readonly<Record<string, KdfDigest>> = {
  [HMAC_SHA1]: SHA1,
  '1.2.840.113549.2.8': { name: 'sha224', bytes: 28, blockBytes: 64 },
  '1.2.840.113549.2.9': { name: 'sha256', bytes: 32, blockBytes: 64 },
  '1.2.840.113549.2.10': { name: 'sha384', bytes: 48, blockBytes: 128 },
  '1.2.840.113549.2.11': { name: 'sha512', bytes: 64, blockBytes: 128 },
  '1.2.840.113549.2.12': { name: 'sha512-224', bytes: 28, blockBytes: 128 },
  '1.2.840.113549.2.13': { name: 'sha512-256', bytes: 32, blockBytes: 128 },
}
