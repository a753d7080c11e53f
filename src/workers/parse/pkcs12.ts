import type { KeyObject, X509Certificate } from 'node:crypto'

import { ProblemError } from '../base/problem.js'
import { shellWord } from '../base/shell-word.js'
import { type DerivationBudget, TooCostly } from '../formats/derivation-budget.js'
import { EncryptionError } from '../formats/encryption-fields.js'
import { whyNotPkcs12 } from '../formats/format-hints.js'
import { toPem } from '../formats/pem.js'
import { type Bags, otherPassphrase, readBags } from '../formats/pkcs12-file.js'
import { reading } from '../problems/reading.js'
import { assertIssuerKey, usableCertificate } from './certificates.js'
import { decryptPkcs8, keyFromDecrypted, keyFromPkcs8, type PrivateKey, workOfPkcs8 } from './private-key.js'

/** Content of a PKCS#12 file. */
export interface Pkcs12Content {
  readonly certificates: readonly X509Certificate[]
  readonly keys: readonly PrivateKey[]
  /** Number of other certificates with a private key, which are not served. */
  readonly otherPairs: number
  /** Whether the passphrase proves the file's integrity. */
  readonly hasMac: boolean
}

/**
 * Reads a PKCS#12 file without Node's own reader. OpenSSL receives only certificates and decrypted keys: it would run
 * as many key derivations as the file requests. Revocation lists and secrets are ignored.
 *
 * @throws ProblemError `PFX_INVALID`, `KEY_PASSPHRASE_REQUIRED`, `KEY_PASSPHRASE_WRONG`, `KEY_INVALID`,
 *   `KEY_UNSUPPORTED` or `PEM_INVALID`.
 */
export function readPkcs12(
  bytes: Buffer,
  path: string,
  passphrase: Buffer | null,
  budget: DerivationBudget,
): Pkcs12Content {
  return reading('PFX_INVALID', notPkcs12(bytes, path), path, () => {
    const bags = opened(bytes, path, passphrase, budget)
    try {
      return contentOf(bags, path, passphrase, budget)
    } finally {
      for (const { der } of bags.keys) der.fill(0)
    }
  })
}

function contentOf(
  bags: Bags,
  path: string,
  passphrase: Buffer | null,
  budget: DerivationBudget,
): Pkcs12Content {
  if (bags.locked) throw unreadableCertificates(bags.locked, bags, path)
  const certificates = bags.certificates.map((der) =>
    usableCertificate(toPem('CERTIFICATE', der), `a certificate in ${path}`, path),
  )
  assertPair(bags, certificates, path)
  const { keys, failure } = keysOf(bags, path, passphrase, budget)
  // Bags have no fixed order; the leaf is a certificate that matches a key. Node uses that of the first key.
  const owned = keys.flatMap((key) => certificates.filter((one) => isPair(one, key)))
  const leaf = owned.find(({ ca }) => !ca) ?? owned[0]
  // Another unusable key is harmless, unless decryption exceeds the budget.
  if (failure !== null && (leaf === undefined || budget.isExceeded)) throw failure
  const own = leaf && keys.filter((key) => isPair(leaf, key))
  // The leaf of another pair is not an issuer of this one.
  const others = new Set(owned.filter((one) => !one.ca && own?.every((key) => !isPair(one, key))))
  const rest = certificates.filter((one) => one !== leaf && !others.has(one))
  for (const one of rest) if (!owned.includes(one)) assertIssuerKey(one, `a certificate in ${path}`, path)
  return {
    certificates: leaf ? [leaf, ...rest] : rest,
    keys,
    otherPairs: others.size,
    hasMac: bags.hasMac,
  }
}

/** Warning about a file with several pairs. */
export function otherPairsWarning(path: string, name: string, count: number): string {
  return `${path} holds ${count + 1} certificates with a private key; only that of the first key is served (${name}); write each pair to its own file`
}

/** Warning about a file without integrity protection; Node refuses such a file if a passphrase is set. */
export function noMacWarning(path: string): string {
  return `${path} has no MAC, so changes to it cannot be detected; ${rewrittenWith(path)}`
}

function opened(bytes: Buffer, path: string, passphrase: Buffer | null, budget: DerivationBudget): Bags {
  try {
    return readBags(bytes, passphrase, budget)
  } catch (error) {
    const refusal = refusalOf(error, path, passphrase)
    throw refusal ?? new ProblemError('PFX_INVALID', notPkcs12(bytes, path), path)
  }
}

/** Why the file, or a key in it, cannot be opened; `null` for damage. */
function refusalOf(error: unknown, path: string, passphrase: Buffer | null): ProblemError | null {
  if (error instanceof TooCostly) return unopened(path, `${error.message}; ${rewrittenWith(path)}`)
  if (!(error instanceof EncryptionError) || error.reason === 'damaged') return null
  const { reason, message, otherCause } = error
  if (reason === 'legacy') return unopened(path, `${message}; ${rewrittenWith(path, '-legacy ')}`)
  if (reason === 'unsupported') {
    return unopened(path, `${message}; write it again with AES-256 and a MAC with SHA-256`)
  }
  if (passphrase === null) return passphraseRequired(path)
  return new ProblemError('KEY_PASSPHRASE_WRONG', `the passphrase does not open ${path}${otherCause}`, path)
}

/** Why the certificates cannot be read. Nearly all programs put keys outside the part that is encrypted as a whole. */
function unreadableCertificates(locked: EncryptionError, bags: Bags, path: string): ProblemError {
  const hasKeys = bags.keys.length > 0
  if (hasKeys) return unopened(path, `${locked.message}; ${rewrittenWith(path, '-legacy ')}`)
  const command = `openssl pkcs12 -legacy -in ${shellWord(path)} -nokeys -out CA.pem`
  const advice = `no private key is visible in it; if it is a truststore, convert it for the option "ca" with: ${command}`
  return unopened(path, `${locked.message}; ${advice}`)
}

function passphraseRequired(path: string): ProblemError {
  const message = `${path} is protected by a passphrase; set the option "passphrase"`
  return new ProblemError('KEY_PASSPHRASE_REQUIRED', message, path)
}

interface Keys {
  readonly keys: readonly PrivateKey[]
  readonly failure: ProblemError | null
}

function keysOf(bags: Bags, path: string, passphrase: Buffer | null, budget: DerivationBudget): Keys {
  const keys: PrivateKey[] = []
  let failure: ProblemError | null = null
  assertAffordable(bags, path, budget)
  for (const { der, isEncrypted } of bags.keys) {
    try {
      const object = isEncrypted ? unshrouded(der, bags, path, passphrase, budget) : keyFromPkcs8(der, path)
      keys.push({ object, plain: null })
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      failure ??= error
      if (budget.isExceeded) {
        failure = error
        break
      }
    }
  }
  return { keys, failure }
}

/** @throws ProblemError `PFX_INVALID` if the keys together exceed the budget, before any is decrypted. */
function assertAffordable({ keys }: Bags, path: string, budget: DerivationBudget): void {
  const locked = keys.filter(({ isEncrypted }) => isEncrypted)
  if (locked.length < 2) return
  const cost = locked.reduce((sum, { der }) => sum + workOfPkcs8(der), 0)
  try {
    budget.assertAllows({ cost, effort: `the decryption of ${locked.length} private keys` })
  } catch (error) {
    throw refusalOf(error, path, null) ?? error
  }
}

function unshrouded(
  der: Buffer,
  bags: Bags,
  path: string,
  passphrase: Buffer | null,
  budget: DerivationBudget,
): KeyObject {
  let plain: Buffer
  try {
    plain = decryptPkcs8(der, bags.passphrase, budget)
  } catch (error) {
    const damaged = `the private key in ${path} is damaged: its encryption cannot be read`
    const isOther = bags.hasMac && error instanceof EncryptionError && error.reason === 'passphrase'
    const why = isOther
      ? new EncryptionError('passphrase', error.message, otherPassphrase('the private key in it'))
      : error
    throw refusalOf(why, path, passphrase) ?? new ProblemError('KEY_INVALID', damaged, path)
  }
  return keyFromDecrypted(plain, path)
}

function isPair(certificate: X509Certificate, { object }: PrivateKey): boolean {
  return certificate.checkPrivateKey(object)
}

/** @throws ProblemError `PFX_INVALID`, which names the missing half. */
function assertPair(bags: Bags, certificates: readonly X509Certificate[], path: string): void {
  const hasKeys = bags.keys.length > 0
  const from = shellWord(path)
  if (certificates.length === 0) {
    const what = hasKeys
      ? `a private key and no certificate; add the certificate: openssl pkcs12 -in ${from} -nocerts -out NEW.key && openssl pkcs12 -export -inkey NEW.key -in CHAIN.pem -out NEW.p12`
      : `neither a certificate nor a private key; ${PAIR}`
    throw new ProblemError('PFX_INVALID', `${path} holds ${what}`, path)
  }
  if (hasKeys) return
  if (bags.isTruststore || certificates.every(({ ca }) => ca)) {
    const message = `${path} is a truststore: it holds trusted certificates and no private key; for the option "ca", convert it with: openssl pkcs12 -in ${from} -nokeys -out CA.pem`
    throw new ProblemError('PFX_INVALID', message, path)
  }
  throw new ProblemError('PFX_INVALID', `${path} holds a certificate and no private key; ${PAIR}`, path)
}

const PAIR = 'write both into it: openssl pkcs12 -export -in CHAIN.pem -inkey KEY.pem -out NEW.p12'

function notPkcs12(bytes: Buffer, path: string): string {
  return `${path} ${whyNotPkcs12(bytes, path) ?? 'is not a PKCS#12 file, or it is damaged'}`
}

function unopened(path: string, why: string): ProblemError {
  return new ProblemError('PFX_INVALID', `${path} cannot be opened: ${why}`, path)
}

/** Two commands, because both ask for a passphrase; the intermediate file is encrypted too. */
function rewrittenWith(path: string, option = ''): string {
  const read = `openssl pkcs12 ${option}-in ${shellWord(path)} -out NEW.pem`
  return `write it again with: ${read} && openssl pkcs12 -export -in NEW.pem -out NEW.p12`
}
