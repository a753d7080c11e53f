import { type KeyObject, sign, verify, type X509Certificate } from 'node:crypto'

import { type ProblemCode, ProblemError } from '../base/problem.js'
import { digestFor } from '../base/runtimes.js'
import { oneLine } from '../base/short-text.js'
import { DerivationBudget } from '../formats/derivation-budget.js'
import { type PemBlock, splitPem } from '../formats/pem.js'
import { certificatesOf, isCertificateBlock } from '../parse/certificates.js'
import { noMacWarning, otherPairsWarning, readPkcs12 } from '../parse/pkcs12.js'
import { type PrivateKey, privateKeysOf } from '../parse/private-key.js'
import type { Findings } from '../problems/findings.js'
import { reading } from '../problems/reading.js'
import { markWork } from '../progress/progress.js'
import type { MaterialSources } from '../protocol/material.js'
import { assertFilled, emptiness } from '../read/emptiness.js'
import type { MaterialItem, MaterialSet } from '../read/material-reader.js'
import { orderChain } from './chain-order.js'

/** A leaf with its chain and private key. */
export interface Identity {
  /** Leaf first, each followed by its issuer as far as the file contains it; then all others. */
  readonly chain: readonly X509Certificate[]
  /** Length of the path from the leaf, itself included: the certificates that clients need. */
  readonly linked: number
  readonly key: PrivateKey
  /** The file that contains the chain. */
  readonly path: string
}

/** The passphrase in the options; `null` for one in a file, or none. */
export function givenPassphrase({ passphrase }: Pick<MaterialSources, 'passphrase'>): string | null {
  return passphrase && 'value' in passphrase ? passphrase.value : null
}

/**
 * Reads every pair; a problem with one does not hide problems with others.
 *
 * @param given from {@link givenPassphrase}.
 */
export function readIdentities(set: MaterialSet, given: string | null, found: Findings): Identity[] {
  const passphrase = passphraseOf(set, given)
  try {
    return identitiesBy(passphrase, set, found)
  } finally {
    passphrase?.fill(0)
  }
}

function identitiesBy(passphrase: Buffer | null, set: MaterialSet, found: Findings): Identity[] {
  const budget = new DerivationBudget()
  const identities: Identity[] = []
  const keys = set.itemsOf('key')
  set.itemsOf('cert').forEach((cert, i) => {
    const identity = found.attempt(() =>
      opened(set, passphrase, () => readPair(cert, keys[i] as MaterialItem, passphrase, budget, found)),
    )
    if (identity) identities.push(identity)
  })
  for (const { id: pfx, bytes } of set.itemsOf('pfx')) {
    const content = found.attempt(() => {
      markWork(pfx)
      assertFilled(bytes, pfx, 'PFX_INVALID')
      return opened(set, passphrase, () => readPkcs12(bytes, pfx, passphrase, budget))
    })
    if (content && !content.hasMac && passphrase !== null) {
      found.judge('warn', 'PFX_INVALID', noMacWarning(pfx), pfx)
    }
    if (content && content.otherPairs > 0) {
      const name = oneLine((content.certificates[0] as X509Certificate).subject)
      found.judge('warn', 'CHAIN_ORDER', otherPairsWarning(pfx, name, content.otherPairs), pfx)
    }
    const identity =
      content && found.attempt(() => identityOf(content.certificates, content.keys, pfx, pfx, found))
    if (identity) identities.push(identity)
  }
  return identities
}

/** The chain as normalized PEM. */
export function pemOf(chain: readonly X509Certificate[]): string {
  return chain.map(String).join('')
}

/** Strips one trailing newline; all other characters belong to the passphrase. */
function passphraseOf(set: MaterialSet, given: string | null): Buffer | null {
  if (given !== null) return Buffer.from(given)
  const [item] = set.itemsOf('passphrase')
  if (!item) return null
  const { bytes } = item
  let length = bytes.length
  if (bytes[length - 1] === 0x0a) length--
  if (bytes[length - 1] === 0x0d) length--
  return bytes.subarray(0, length)
}

/** An empty passphrase can be right. If it is wrong, the passphrase file is the problem. */
function opened<T>(set: MaterialSet, bytes: Buffer | null, open: () => T): T {
  try {
    return open()
  } catch (error) {
    const isWrong = error instanceof ProblemError && error.problem.code === 'KEY_PASSPHRASE_WRONG'
    const [item] = set.itemsOf('passphrase')
    if (!isWrong || !item) throw error
    const why = emptiness(bytes ?? new Uint8Array())
    if (why === null) throw error
    const message = `${error.problem.message}: the passphrase file ${item.id} ${why}`
    throw new ProblemError('KEY_PASSPHRASE_WRONG', message, item.id)
  }
}

/**
 * The pair in a certificate file and a key file (possibly the same file).
 *
 * @throws ProblemError with any code of the certificate, the key or their combination.
 */
function readPair(
  { id: cert, bytes: certBytes }: MaterialItem,
  { id: key, bytes: keyBytes }: MaterialItem,
  passphrase: Buffer | null,
  budget: DerivationBudget,
  found: Findings,
): Identity {
  markWork(cert)
  assertFilled(certBytes, cert, 'CERT_MISSING')
  const blocks = splitPem(certBytes, cert)
  assertFew(blocks.filter(isCertificateBlock).length, cert)
  const certificates = certificatesOf(blocks, cert)
  markWork(key)
  assertFilled(keyBytes, key, 'KEY_MISSING')
  const keyBlocks = splitPem(keyBytes, key)
  assertFewKeys(keyBlocks, key)
  const { keys, unusable } = privateKeysOf(keyBlocks, key, passphrase, budget)
  markWork(cert)
  const [failure] = unusable
  if (failure && !certificates.some((one) => keys.some(({ object }) => one.checkPrivateKey(object)))) {
    throw failure
  }
  const identity = identityOf(certificates, keys, cert, key, found)
  for (const { problem } of unusable) {
    const message = `another private key in ${key} ${UNUSABLE[problem.code]}; the certificate does not need it: remove it from the file`
    found.judge('warn', problem.code, message, key)
  }
  return identity
}

/** Descriptions of keys that {@link privateKeysOf} skips. */
const UNUSABLE: Partial<Record<ProblemCode, string>> = {
  KEY_PASSPHRASE_REQUIRED: 'is encrypted, and no passphrase is set',
  KEY_PASSPHRASE_WRONG: 'is encrypted with another passphrase',
  KEY_UNSUPPORTED: 'has a type that cannot serve TLS',
  KEY_INVALID: 'is encrypted in a way that cannot be opened here',
}

/** Combines certificates and keys read together; the leaf must be the first certificate. */
function identityOf(
  certificates: readonly X509Certificate[],
  keys: readonly PrivateKey[],
  certPath: string,
  keyPath: string,
  found: Findings,
): Identity {
  assertFew(certificates.length, certPath)
  const what = `the certificates in ${certPath} cannot be compared with each other and with the key`
  return reading('PEM_INVALID', what, certPath, () => joined(certificates, keys, certPath, keyPath, found))
}

function joined(
  certificates: readonly X509Certificate[],
  keys: readonly PrivateKey[],
  certPath: string,
  keyPath: string,
  found: Findings,
): Identity {
  const leaf = certificates[0] as X509Certificate
  const key = keys.find(({ object }) => leaf.checkPrivateKey(object))
  if (!key) throw mismatch(certificates, keys, certPath, keyPath)
  if (!isWhole(key.object, leaf)) {
    const message = `the private key in ${keyPath} is damaged: its public half does not verify its signatures`
    throw new ProblemError('KEY_INVALID', message, keyPath)
  }
  const { chain, linked, unrelated, reordered } = orderChain(certificates)
  if (unrelated > 0 || reordered) {
    const what =
      unrelated > 0
        ? `${unrelated} of its certificates are not part of the chain`
        : 'the chain is out of order'
    found.judge('warn', 'CHAIN_ORDER', `${certPath}: ${what}; it is served in the right order`, certPath)
  }
  return { chain, linked, key, path: certPath }
}

/**
 * Maximum number of certificates per file. Chains of public CAs have two to four. Each certificate may be compared with
 * each other one, and every handshake sends them all.
 */
const MAX_CHAIN_CERTIFICATES = 16

/** Each key of a file is decrypted, which can take 0.1 s. */
const MAX_KEYS = 8

function assertFew(count: number, path: string): void {
  if (count <= MAX_CHAIN_CERTIFICATES) return
  const message = `${path} holds ${count} certificates, more than the limit of ${MAX_CHAIN_CERTIFICATES}; keep the leaf and its issuers`
  throw new ProblemError('CHAIN_TOO_LONG', message, path)
}

function assertFewKeys(blocks: readonly PemBlock[], path: string): void {
  const count = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY')).length
  if (count <= MAX_KEYS) return
  const message = `${path} holds ${count} private keys, more than the limit of ${MAX_KEYS}; keep the one of the certificate`
  throw new ProblemError('KEY_INVALID', message, path)
}

/** OpenSSL compares only public halves (`X509_check_private_key`) and trusts those in the file. */
function isWhole(key: KeyObject, leaf: X509Certificate): boolean {
  const digest = digestFor(key)
  try {
    return verify(digest, PROOF, leaf.publicKey, sign(digest, PROOF, key))
  } catch (error) {
    // The rehearsal reports keys that cannot sign.
    return CANNOT_SIGN.has((error as NodeJS.ErrnoException).code ?? '')
  }
}

/** The second code is Node 22's refusal to sign with ML-DSA; its OpenSSL can sign handshakes. */
const CANNOT_SIGN: ReadonlySet<string> = new Set([
  'ERR_OSSL_EVP_OPERATION_NOT_SUPPORTED_FOR_THIS_KEYTYPE',
  'ERR_OSSL_EVP_PROVIDER_SIGNATURE_NOT_SUPPORTED',
])

const PROOF = Buffer.from('certswap')

function mismatch(
  certificates: readonly X509Certificate[],
  keys: readonly PrivateKey[],
  certPath: string,
  keyPath: string,
): ProblemError {
  const at = certificates.findIndex((certificate) =>
    keys.some(({ object }) => certificate.checkPrivateKey(object)),
  )
  if (at > 0) {
    const message = `the leaf is certificate ${at + 1} of ${certificates.length} in ${certPath}; it must come first`
    return new ProblemError('CHAIN_ORDER', message, certPath)
  }
  const message = `the private key in ${keyPath} does not match the certificate in ${certPath}`
  return new ProblemError('CERT_KEY_MISMATCH', message, certPath)
}
