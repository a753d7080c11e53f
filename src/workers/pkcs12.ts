import { createPrivateKey, type X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'

import { usableCertificate } from './certificates.js'
import { iterationsIn, MOST_ITERATIONS } from './derivation-cost.js'
import { toPem } from './pem.js'
import type { PrivateKey } from './private-key.js'
import { ProblemError } from './problem.js'

/** What a PKCS#12 file holds. */
export interface Pkcs12Content {
  readonly certificates: readonly X509Certificate[]
  readonly keys: readonly PrivateKey[]
}

/** Bag types (RFC 7292, appendix D). */
const KEY_BAG = '1.2.840.113549.1.12.10.1.1'
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2'
const CERT_BAG = '1.2.840.113549.1.12.10.1.3'

/**
 * Takes a PKCS#12 file apart, as Node itself cannot: OpenSSL proves the passphrase and the integrity, pkijs finds the
 * bags, OpenSSL decrypts the keys.
 *
 * @throws ProblemError `PFX_INVALID`, `KEY_PASSPHRASE_REQUIRED` or `KEY_PASSPHRASE_WRONG`.
 */
export async function readPkcs12(
  bytes: Buffer,
  path: string,
  passphrase: Buffer | null,
): Promise<Pkcs12Content> {
  assertAffordable(bytes, path)
  assertOpens(bytes, path, passphrase)
  const { AuthenticatedSafe, PFX } = await import('pkijs')
  const password = exactBuffer(passphrase ?? Buffer.alloc(0))
  try {
    const pfx = PFX.fromBER(exactBuffer(bytes))
    await pfx.parseInternalValues({ password, checkIntegrity: false })
    const safe = pfx.parsedValue?.authenticatedSafe
    if (!(safe instanceof AuthenticatedSafe)) throw new TypeError('no authenticated safe')
    await safe.parseInternalValues({ safeContents: safe.safeContents.map(() => ({ password })) })
    const contents = safe.parsedValue.safeContents as { value: { safeBags: SafeBagLike[] } }[]
    const bags = contents.flatMap(({ value }) => value.safeBags)
    return contentOf(bags, path, passphrase)
  } catch (error) {
    throw error instanceof ProblemError ? error : outdated(path)
  } finally {
    new Uint8Array(password).fill(0)
  }
}

/** The part of pkijs' SafeBag that is used; its bag values are typed as `any` there. */
interface SafeBagLike {
  readonly bagId: string
  readonly bagValue: {
    readonly parsedValue?: { toSchema(): { toBER(): ArrayBuffer } }
    toSchema(): { toBER(): ArrayBuffer }
  }
}

function contentOf(bags: readonly SafeBagLike[], path: string, passphrase: Buffer | null): Pkcs12Content {
  const certificates: X509Certificate[] = []
  const keys: PrivateKey[] = []
  for (const { bagId, bagValue } of bags) {
    if (bagId === CERT_BAG && bagValue.parsedValue) {
      const der = new Uint8Array(bagValue.parsedValue.toSchema().toBER())
      certificates.push(usableCertificate(toPem('CERTIFICATE', der), `a certificate in ${path}`, path))
    }
    if (bagId === KEY_BAG || bagId === SHROUDED_KEY_BAG) {
      const der = Buffer.from(bagValue.toSchema().toBER())
      const secret = bagId === SHROUDED_KEY_BAG ? { passphrase: passphrase ?? '' } : {}
      const object = createPrivateKey({ key: der, format: 'der', type: 'pkcs8', ...secret })
      keys.push({ object, plain: null })
      der.fill(0)
    }
  }
  if (certificates.length === 0 || keys.length === 0) throw new TypeError('no pair')
  // Bags come in any order; the leaf is the certificate that a key belongs to.
  certificates.sort((a, b) => Number(hasKey(b, keys)) - Number(hasKey(a, keys)))
  return { certificates, keys }
}

function hasKey(certificate: X509Certificate, keys: readonly PrivateKey[]): boolean {
  return keys.some(({ object }) => certificate.checkPrivateKey(object))
}

function assertAffordable(bytes: Buffer, path: string): void {
  const iterations = iterationsIn(bytes)
  if (iterations <= MOST_ITERATIONS) return
  const message = `${path} asks for ${iterations} iterations to open it, more than the limit of ${MOST_ITERATIONS}`
  throw new ProblemError('PFX_INVALID', message, path)
}

function assertOpens(bytes: Buffer, path: string, passphrase: Buffer | null): void {
  try {
    // Whether its key is strong enough is judged later, by the policy.
    createSecureContext({
      pfx: bytes,
      passphrase: passphrase?.toString() ?? '',
      ciphers: 'DEFAULT@SECLEVEL=0',
    })
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    // What it holds is looked at later; that it is not signed, only OpenSSL 3.0 minds, and only where there is a passphrase.
    if (code === 'ERR_CRYPTO_OPERATION_FAILED' || /mac absent/i.test(message)) return
    if (code === 'ERR_CRYPTO_UNSUPPORTED_OPERATION') throw outdated(path)
    if (!/mac verify/i.test(message)) {
      throw new ProblemError('PFX_INVALID', `${path} is no PKCS#12 file, or it is damaged`, path)
    }
    if (passphrase === null) {
      const required = `${path} is protected by a passphrase; set the option "passphrase"`
      throw new ProblemError('KEY_PASSPHRASE_REQUIRED', required, path)
    }
    throw new ProblemError('KEY_PASSPHRASE_WRONG', `the passphrase does not open ${path}`, path)
  }
}

function outdated(path: string): ProblemError {
  const message =
    `${path} is encrypted in an outdated way or holds no pair; write it anew with: ` +
    `openssl pkcs12 -legacy -in ${path} -nodes | openssl pkcs12 -export -out NEW`
  return new ProblemError('PFX_INVALID', message, path)
}

function exactBuffer(view: Uint8Array): ArrayBuffer {
  return new Uint8Array(view).buffer
}
