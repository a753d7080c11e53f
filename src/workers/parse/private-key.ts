import { createPrivateKey, type KeyObject } from 'node:crypto'

import { type ProblemCode, ProblemError } from '../base/problem.js'
import { shellWord } from '../base/shell-word.js'
import { assertDer, childOf, childrenOf } from '../formats/der.js'
import { OCTET_STRING, SEQUENCE } from '../formats/der-tags.js'
import { DerivationBudget, TooCostly } from '../formats/derivation-budget.js'
import { decrypt, workOf } from '../formats/encryption.js'
import { asStructure, EncryptionError } from '../formats/encryption-fields.js'
import { DSA, whyNotForTls } from '../formats/key-kinds.js'
import { derOf, type PemBlock } from '../formats/pem.js'
import { openSshHint, pemHint } from '../formats/pem-hints.js'
import { reading } from '../problems/reading.js'
import { describe } from './certificates.js'
import { looksLikePkcs8, whyNotUsable, whyTraditionalNotUsable } from './private-key-der.js'

/** A private key parsed by OpenSSL. */
export interface PrivateKey {
  readonly object: KeyObject
  /** The PEM it was read from, if that is unencrypted PKCS#8 and can be used unchanged; otherwise `null`. */
  readonly plain: string | null
}

export interface KeysOfFile {
  /** At least one. */
  readonly keys: readonly PrivateKey[]
  /** Why other keys cannot be used: they are encrypted, or of a kind that TLS cannot sign with. */
  readonly unusable: readonly ProblemError[]
}

/**
 * Every private key of a file, decrypted. An intact but unusable key is ignored if another one belongs to the
 * certificate; a damaged key is not.
 *
 * @throws ProblemError `KEY_MISSING`, `KEY_PASSPHRASE_REQUIRED`, `KEY_PASSPHRASE_WRONG`, `KEY_UNSUPPORTED` or
 *   `KEY_INVALID`.
 */
export function privateKeysOf(
  blocks: readonly PemBlock[],
  path: string,
  passphrase: Buffer | null,
  budget: DerivationBudget = new DerivationBudget(),
): KeysOfFile {
  const found = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'))
  if (found.length === 0) {
    const message = `${path} holds no private key, but ${describe(blocks)}${pemHint(blocks, path)}`
    throw new ProblemError('KEY_MISSING', message, path)
  }
  const keys: PrivateKey[] = []
  const unusable: ProblemError[] = []
  for (const block of found) {
    try {
      keys.push(
        reading('KEY_INVALID', damaged(path), path, () => parsePrivateKey(block, path, passphrase, budget)),
      )
    } catch (error) {
      if (!isWhole(error)) throw error
      unusable.push(error)
    }
  }
  if (keys.length === 0) throw unusable[0] as ProblemError
  return { keys, unusable }
}

/** Whether the error is about an intact key that cannot be used. */
function isWhole(error: unknown): error is ProblemError {
  return error instanceof UnopenedKey || (error instanceof ProblemError && IS_WHOLE.has(error.problem.code))
}

/** A key whose encryption is not supported by this OpenSSL or exceeds the derivation budget. */
class UnopenedKey extends ProblemError {}

const IS_WHOLE: ReadonlySet<ProblemCode> = new Set([
  'KEY_PASSPHRASE_REQUIRED',
  'KEY_PASSPHRASE_WRONG',
  'KEY_UNSUPPORTED',
])

/**
 * Parses unencrypted PKCS#8. OpenSSL receives it only after its structure was checked.
 *
 * @throws ProblemError `KEY_UNSUPPORTED` or `KEY_INVALID`.
 */
export function keyFromPkcs8(der: Buffer, path: string): KeyObject {
  return reading('KEY_INVALID', damaged(path), path, () => {
    assertSupported(whyNotUsable(der), path)
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  })
}

/** The same for decrypted bytes, which are overwritten. */
export function keyFromDecrypted(plain: Buffer, path: string): KeyObject {
  try {
    return keyFromPkcs8(plain, path)
  } finally {
    plain.fill(0)
  }
}

/**
 * Parses EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm, encryptedData OCTET STRING } (RFC 5958, section
 * 3).
 *
 * @throws ProblemError `KEY_UNSUPPORTED`, `KEY_INVALID` or `KEY_PASSPHRASE_WRONG`.
 */
function keyFromEncrypted(
  der: Buffer,
  path: string,
  passphrase: Uint8Array | null,
  budget: DerivationBudget,
): KeyObject {
  let plain: Buffer
  try {
    plain = decryptPkcs8(der, passphrase, budget)
  } catch (error) {
    throw refusalOf(error, path) ?? error
  }
  return keyFromDecrypted(plain, path)
}

/** Why a key cannot be decrypted; `null` for an error of another kind. */
function refusalOf(error: unknown, path: string): ProblemError | null {
  if (error instanceof TooCostly) return unopened(UnopenedKey, path, error.message)
  if (!(error instanceof EncryptionError)) return null
  const { reason, message } = error
  if (reason === 'passphrase') return wrongPassphrase(path)
  return unopened(reason === 'damaged' ? ProblemError : UnopenedKey, path, message, reason === 'legacy')
}

/** Cost of {@link decryptPkcs8}; 0 for a key that it refuses. */
export function workOfPkcs8(der: Buffer): number {
  try {
    return workOf(der, childOf(der, childrenOf(der, assertDer(der)), 0, SEQUENCE))
  } catch {
    return 0
  }
}

/**
 * Decrypts PKCS#8.
 *
 * @throws EncryptionError
 * @throws TooCostly when the budget does not allow the derivation.
 */
export function decryptPkcs8(der: Buffer, passphrase: Uint8Array | null, budget: DerivationBudget): Buffer {
  const [algorithm, data] = asStructure(() => {
    const fields = childrenOf(der, assertDer(der))
    return [childOf(der, fields, 0, SEQUENCE), childOf(der, fields, 1, OCTET_STRING)] as const
  })
  const plain = decrypt(der, algorithm, der.subarray(data.from, data.to), passphrase, budget)
  if (looksLikePkcs8(plain)) return plain
  plain.fill(0)
  throw new EncryptionError('passphrase', 'the passphrase does not decrypt it')
}

function parsePrivateKey(
  block: PemBlock,
  path: string,
  passphrase: Buffer | null,
  budget: DerivationBudget,
): PrivateKey {
  const { label, pem } = block
  if (label === 'OPENSSH PRIVATE KEY') {
    const message = `the private key in ${path} is in OpenSSH's format, which TLS does not use; ${openSshHint(block, path)}`
    throw new ProblemError('KEY_INVALID', message, path)
  }
  const isTraditional = label === 'RSA PRIVATE KEY' || label === 'EC PRIVATE KEY'
  const isLocked = label === 'ENCRYPTED PRIVATE KEY' || (isTraditional && PROC_TYPE.test(pem))
  if (isLocked && passphrase === null) {
    const message = `the private key in ${path} is encrypted; set the option "passphrase"`
    throw new ProblemError('KEY_PASSPHRASE_REQUIRED', message, path)
  }
  const der = derOf(pem)
  try {
    if (label === 'PRIVATE KEY') return { object: keyFromPkcs8(der, path), plain: pem }
    if (label === 'ENCRYPTED PRIVATE KEY') {
      return { object: keyFromEncrypted(der, path, passphrase, budget), plain: null }
    }
    if (label === 'DSA PRIVATE KEY') assertSupported(whyNotForTls(DSA), path)
    if (!isTraditional) throw new ProblemError('KEY_INVALID', damaged(path), path)
    if (isLocked) return { object: openTraditional(pem, path, passphrase as Buffer), plain: null }
    assertSupported(whyTraditionalNotUsable(der, label), path)
    return { object: keyFromPem(pem), plain: null }
  } finally {
    der.fill(0)
  }
}

/** From a buffer, because Node would copy a string to memory that is never overwritten. */
function keyFromPem(pem: string): KeyObject {
  const bytes = Buffer.from(pem)
  try {
    return createPrivateKey(bytes)
  } finally {
    bytes.fill(0)
  }
}

const PROC_TYPE = /^Proc-Type: ?4, ?ENCRYPTED/m

/**
 * PEM's own encryption (RFC 1421) hashes the passphrase only once. The label decides how OpenSSL parses the content,
 * and RSA and EC keys both load quickly.
 */
function openTraditional(pem: string, path: string, passphrase: Buffer): KeyObject {
  let object: KeyObject
  try {
    object = createPrivateKey({ key: pem, passphrase })
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!UNSUPPORTED_CIPHER.test(code)) throw wrongPassphrase(path)
    throw unopened(
      UnopenedKey,
      path,
      `it is encrypted in a way that this OpenSSL does not support (${code})`,
      true,
    )
  }
  const der = object.export({ type: 'pkcs8', format: 'der' })
  try {
    assertSupported(whyNotUsable(der), path)
  } finally {
    der.fill(0)
  }
  return object
}

const UNSUPPORTED_CIPHER = /EVP_UNSUPPORTED|UNSUPPORTED_|UNKNOWN_CIPHER|FETCH|INITIALIZATION/

function assertSupported(why: string | null, path: string): void {
  if (why === null) return
  throw new ProblemError('KEY_UNSUPPORTED', `the private key in ${path} cannot serve TLS: ${why}`, path)
}

function unopened(Kind: typeof ProblemError, path: string, why: string, isLegacy = false): ProblemError {
  const command = `openssl pkcs8 -topk8 -provider legacy -provider default -in ${shellWord(path)} -out NEW`
  const remedy = isLegacy ? `; write it again with: ${command}` : ''
  return new Kind('KEY_INVALID', `the private key in ${path} cannot be opened: ${why}${remedy}`, path)
}

function wrongPassphrase(path: string): ProblemError {
  const message = `the passphrase does not decrypt the private key in ${path}`
  return new ProblemError('KEY_PASSPHRASE_WRONG', message, path)
}

function damaged(path: string): string {
  return `the private key in ${path} is damaged or of an unknown kind`
}
