import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

import { printableJson } from '../../workers/base/printable.js'
import { type ProblemCode, ProblemError } from '../../workers/base/problem.js'
import { shortened } from '../../workers/base/short-text.js'
import { BytesReader, MalformedError } from './bytes-reader.js'
import { bytesOfHead, headOf, type LastGoodHead } from './last-good-head.js'

/*
 * The format of the files of `lastGood`. Numbers are big-endian.
 *
 *   8 bytes   `certswap`
 *   1         kind: 1 the material, 2 the marker
 *   1         version of the format
 *   1         protection: 0 SHA-256, 1 AES-256-GCM
 *   16        identifier of the key; zeros without a key
 *   12        nonce; zeros without a key
 *   4, 4      length of the head, length of the body
 *   head      16 bytes store, 8 sequence number, 8 written at (ms since 1970), then texts, each after its length in
 *             2 bytes: source, identity, version, revision
 *   body      the material, encrypted with a key
 *   32 or 16  SHA-256 of everything before, or the GCM tag, with everything before the body as associated data
 */

/** What a file is: the material, or the marker that holds the number of the last one written. */
export type LastGoodKind = 'material' | 'marker'

/** What a file must be, or it is foreign. */
export interface ExpectedFile {
  readonly kind: LastGoodKind
  readonly source: string
  readonly identity: string
  /** 32 bytes, or `null` without a key file. */
  readonly key: Uint8Array | null
  /** For messages. */
  readonly path: string
}

/** A file that has passed every check of this module. */
export interface OpenedFile {
  readonly head: LastGoodHead
  /** In plain text, in a buffer of its own. The caller overwrites it. */
  readonly body: Buffer
}

/** The limit of a whole file, in bytes. */
export const MAX_FILE_BYTES: number = 64 * 1024 * 1024

/**
 * The bytes of a file in pieces, so that a large one does not hold the event loop. The body is not overwritten.
 *
 * @param key - 32 bytes, or `null` for a file that is not encrypted.
 */
export function* sealedFile(
  kind: LastGoodKind,
  head: LastGoodHead,
  body: Buffer,
  key: Uint8Array | null,
): Generator<Buffer, void, void> {
  const derived = key && deriveFrom(key)
  const nonce = derived ? randomBytes(NONCE_BYTES) : Buffer.alloc(NONCE_BYTES)
  const headBytes = bytesOfHead(head)
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32BE(headBytes.length, 0)
  lengths.writeUInt32BE(body.length, 4)
  const fixed = Buffer.from([KIND[kind], FORMAT, derived ? PROTECTION.encrypted : PROTECTION.digest])
  const start = Buffer.concat([MAGIC, fixed, derived?.id ?? NO_KEY, nonce, lengths, headBytes])
  yield start
  if (!derived) {
    const hash = createHash('sha256').update(start)
    for (const piece of piecesOf(body)) {
      hash.update(piece)
      yield piece
    }
    yield hash.digest()
    return
  }
  const cipher = createCipheriv(CIPHER, derived.cipherKey, nonce, { authTagLength: TAG_BYTES }).setAAD(start)
  derived.cipherKey.fill(0)
  for (const piece of piecesOf(body)) yield cipher.update(piece)
  yield Buffer.concat([cipher.final(), cipher.getAuthTag()])
}

/**
 * Checks and decrypts a file, with a step for each piece.
 *
 * @throws ProblemError `LAST_GOOD_TRUNCATED`, `LAST_GOOD_TORN` or `LAST_GOOD_FOREIGN`
 */
export function* openFile(bytes: Buffer, expected: ExpectedFile): Generator<void, OpenedFile, void> {
  try {
    return yield* opened(bytes, expected)
  } catch (error) {
    if (error instanceof MalformedError) throw torn(expected.path, error.message)
    throw error
  }
}

/** @throws ProblemError for bytes that pass the checksum and have another structure nevertheless. */
export function orTorn<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedError) throw torn(path, error.message)
    throw error
  }
}

const MAGIC = Buffer.from('certswap')
const FORMAT = 1
const KIND: Readonly<Record<LastGoodKind, number>> = { material: 1, marker: 2 }
const PROTECTION = { digest: 0, encrypted: 1 } as const
const CIPHER = 'aes-256-gcm'
const KEY_ID_BYTES = 16
const NO_KEY = Buffer.alloc(KEY_ID_BYTES)
const NONCE_BYTES = 12
const TAG_BYTES = 16
const DIGEST_BYTES = 32
const FIXED_BYTES = MAGIC.length + 3 + KEY_ID_BYTES + NONCE_BYTES + 8
/** A piece takes less than a millisecond. */
const PIECE_BYTES = 256 * 1024

function* opened(bytes: Buffer, expected: ExpectedFile): Generator<void, OpenedFile, void> {
  const { path, key } = expected
  assertOurFormat(bytes, path)
  const reader = new BytesReader(bytes)
  reader.bytes(MAGIC.length)
  const kind = reader.uint8()
  if (kind !== KIND[expected.kind]) throw foreign(path, 'is another kind of file')
  const format = reader.uint8()
  if (format !== FORMAT) throw foreign(path, `has format ${format}, and this release reads format ${FORMAT}`)
  const protection = reader.uint8()
  if (protection !== PROTECTION.digest && protection !== PROTECTION.encrypted)
    throw torn(path, 'its protection is unknown')
  const encrypted = protection === PROTECTION.encrypted
  const derived = key && deriveFrom(key)
  try {
    const keyId = reader.bytes(KEY_ID_BYTES)
    const nonce = reader.bytes(NONCE_BYTES)
    const headLength = reader.uint32()
    const bodyLength = reader.uint32()
    const trailerLength = encrypted ? TAG_BYTES : DIGEST_BYTES
    const length = FIXED_BYTES + headLength + bodyLength + trailerLength
    if (bytes.length < length)
      throw refused('TRUNCATED', path, `is truncated: it has ${bytes.length} of ${length} bytes`)
    if (bytes.length > length) throw torn(path, 'there are bytes after its end')
    if (encrypted && !derived) throw foreign(path, 'is encrypted, and `lastGood` has no `keyFile`')
    if (!encrypted && derived) throw foreign(path, 'is not encrypted, and `lastGood` has a `keyFile`')
    if (derived && !derived.id.equals(keyId)) throw foreign(path, 'is encrypted with another key')
    const headBytes = reader.bytes(headLength)
    const sealed = reader.bytes(bodyLength)
    const start = bytes.subarray(0, FIXED_BYTES + headLength)
    const trailer = reader.bytes(trailerLength)
    const body = derived
      ? yield* decrypted({ start, sealed, tag: trailer, nonce, key: derived.cipherKey, path })
      : yield* verified({ start, body: sealed, digest: trailer, path })
    const head = ourHead(headBytes, body, expected)
    return { head, body }
  } finally {
    derived?.cipherKey.fill(0)
  }
}

/** Only after the checksum, so that damage is not taken for a foreign file. Overwrites the body of a file that is refused. */
function ourHead(bytes: Buffer, body: Buffer, { source, identity, path }: ExpectedFile): LastGoodHead {
  try {
    const head = headOf(bytes)
    if (head.source !== source)
      throw foreign(path, `is of the source ${quoted(head.source)}, not of ${quoted(source)}`)
    if (head.identity !== identity)
      throw foreign(path, `is of another identity of the source ${quoted(source)}`)
    return head
  } catch (error) {
    body.fill(0)
    throw error
  }
}

function quoted(text: string): string {
  return printableJson(shortened(text))
}

function assertOurFormat(bytes: Buffer, path: string): void {
  const start = bytes.subarray(0, MAGIC.length)
  // After a power failure, some file systems fill a file with NUL bytes.
  if (bytes.length >= MAGIC.length && start.every((byte) => byte === 0))
    throw torn(path, 'it begins with NUL bytes')
  if (!start.equals(MAGIC.subarray(0, start.length))) throw foreign(path, 'was not written by certswap')
  if (bytes.length < FIXED_BYTES)
    throw refused('TRUNCATED', path, `is truncated: it has ${bytes.length} of at least ${FIXED_BYTES} bytes`)
}

interface EncryptedParts {
  readonly start: Buffer
  readonly sealed: Buffer
  readonly tag: Buffer
  readonly nonce: Buffer
  readonly key: Buffer
  readonly path: string
}

function* decrypted({ start, sealed, tag, nonce, key, path }: EncryptedParts): Generator<void, Buffer, void> {
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(start).setAuthTag(tag)
  const body = Buffer.allocUnsafeSlow(sealed.length)
  let at = 0
  for (const piece of piecesOf(sealed)) {
    const plain = decipher.update(piece)
    at += plain.copy(body, at)
    plain.fill(0)
    yield
  }
  try {
    decipher.final()
  } catch {
    // Bytes that are not authentic are not used.
    body.fill(0)
    throw torn(path, CHECKSUM)
  }
  return body
}

interface PlainParts {
  readonly start: Buffer
  readonly body: Buffer
  readonly digest: Buffer
  readonly path: string
}

function* verified({ start, body, digest, path }: PlainParts): Generator<void, Buffer, void> {
  const hash = createHash('sha256').update(start)
  for (const piece of piecesOf(body)) {
    hash.update(piece)
    yield
  }
  if (!hash.digest().equals(digest)) throw torn(path, CHECKSUM)
  return body
}

const CHECKSUM = 'its checksum does not match its content'

/** Two values of different use, so that the visible one says nothing about the other. */
function deriveFrom(key: Uint8Array): { cipherKey: Buffer; id: Buffer } {
  const derived = Buffer.from(hkdfSync('sha256', key, '', 'certswap last good 1', 32 + KEY_ID_BYTES))
  return { cipherKey: derived.subarray(0, 32), id: derived.subarray(32) }
}

function* piecesOf(bytes: Buffer): Generator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
}

function refused(kind: 'TRUNCATED' | 'TORN' | 'FOREIGN', path: string, what: string): ProblemError {
  const code: ProblemCode = `LAST_GOOD_${kind}`
  return new ProblemError(code, `${path} ${what}; it is not served`, path)
}

function torn(path: string, reason: string): ProblemError {
  return refused('TORN', path, `is damaged: ${reason}`)
}

function foreign(path: string, what: string): ProblemError {
  return refused('FOREIGN', path, what)
}
