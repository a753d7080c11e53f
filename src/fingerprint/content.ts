import { createHash } from 'node:crypto'

const PRIVATE_KEY_MARK = 'PRIVATE KEY-----'
const PRIVATE_KEY_BLOCK =
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g

/**
 * SHA-256 of a whole file, in lower-case hex.
 *
 * Private-key blocks are excluded, because no digest of a private key is ever kept: a file with both a chain and its key is
 * compared by the digest of the rest and by its {@link inodeStamp}.
 */
export function contentDigest(bytes: Uint8Array): string {
  const hash = createHash('sha256')
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!view.includes(PRIVATE_KEY_MARK)) return hash.update(view).digest('hex')
  return hash.update(view.toString('latin1').replace(PRIVATE_KEY_BLOCK, ''), 'latin1').digest('hex')
}

/** Whether a file contains a private-key block, so that its {@link contentDigest} does not cover all of it. */
export function holdsPrivateKey(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(PRIVATE_KEY_MARK)
}
