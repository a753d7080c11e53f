import { createPrivateKey, type KeyObject } from 'node:crypto'

import { describe } from './certificates.js'
import { iterationsIn, MOST_ITERATIONS } from './derivation-cost.js'
import { derOf, type PemBlock } from './pem.js'
import { ProblemError } from './problem.js'

/** A private key as OpenSSL has read it. */
export interface PrivateKey {
  readonly object: KeyObject
  /** The PEM that it was read from, where that is unencrypted PKCS#8 and can be handed on as it is; `null` elsewhere. */
  readonly plain: string | null
}

/**
 * Every private key of a file, decrypted.
 *
 * @throws ProblemError `KEY_MISSING`, `KEY_PASSPHRASE_REQUIRED`, `KEY_PASSPHRASE_WRONG` or `KEY_INVALID`.
 */
export function privateKeysOf(
  blocks: readonly PemBlock[],
  path: string,
  passphrase: Buffer | null,
): PrivateKey[] {
  const found = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'))
  if (found.length === 0) {
    throw new ProblemError('KEY_MISSING', `${path} holds no private key, but ${describe(blocks)}`, path)
  }
  return found.map((block) => parsePrivateKey(block, path, passphrase))
}

/** Whether the key of this block cannot be had without a passphrase (PKCS#8 and traditional form). */
function isEncrypted(block: PemBlock): boolean {
  return block.label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: ?4, ?ENCRYPTED/m.test(block.pem)
}

function parsePrivateKey(block: PemBlock, path: string, passphrase: Buffer | null): PrivateKey {
  const encrypted = isEncrypted(block)
  if (encrypted && passphrase === null) {
    const message = `the private key in ${path} is encrypted; set the option "passphrase"`
    throw new ProblemError('KEY_PASSPHRASE_REQUIRED', message, path)
  }
  if (block.label === 'ENCRYPTED PRIVATE KEY') assertAffordable(block, path)
  try {
    const object = createPrivateKey(encrypted && passphrase ? { key: block.pem, passphrase } : block.pem)
    return { object, plain: block.label === 'PRIVATE KEY' && !encrypted ? block.pem : null }
  } catch (error) {
    throw keyProblem(path, encrypted, (error as NodeJS.ErrnoException).code ?? '')
  }
}

function assertAffordable(block: PemBlock, path: string): void {
  const iterations = iterationsIn(derOf(block.pem))
  if (iterations <= MOST_ITERATIONS) return
  const message = `the private key in ${path} asks for ${iterations} iterations to open it, more than the limit of ${MOST_ITERATIONS}`
  throw new ProblemError('KEY_INVALID', message, path)
}

/** Only OpenSSL's code is looked at: its message may quote the input. */
function keyProblem(path: string, encrypted: boolean, code: string): ProblemError {
  if (!encrypted) {
    return new ProblemError(
      'KEY_INVALID',
      `the private key in ${path} is damaged or of an unknown kind`,
      path,
    )
  }
  if (/MEMORY_LIMIT|EVP_UNSUPPORTED|UNSUPPORTED_|UNKNOWN_(CIPHER|PBE)|FETCH|INITIALIZATION/.test(code)) {
    const message = `the private key in ${path} is encrypted in a way that this OpenSSL does not support (${code})`
    return new ProblemError('KEY_INVALID', message, path)
  }
  return new ProblemError(
    'KEY_PASSPHRASE_WRONG',
    `the passphrase does not decrypt the private key in ${path}`,
    path,
  )
}
