import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

import { isTrusted } from './trusted-path.js'

/** A key file that is refused. The message names the file, and has none of its content. */
export class KeyFileError extends Error {
  /** Whether other users can read or change the file; otherwise it cannot be read, or holds no key. */
  readonly isOpen: boolean

  constructor(path: string, reason: string, isOpen: boolean) {
    super(`the key file ${path} ${reason}`)
    this.isOpen = isOpen
  }
}

/**
 * The key in a file: 32 bytes, or the same as 64 hexadecimal digits or as base64. The caller overwrites it.
 *
 * Links are followed, because mounted secrets are links. The group may read the file, as with other key files: mounted secrets
 * of Kubernetes are readable by `fsGroup`.
 *
 * @throws KeyFileError
 */
export async function readKeyFile(path: string): Promise<Buffer> {
  const content = await contentOf(path)
  try {
    const key = keyIn(content)
    if (!key) throw unreadable(path, WRONG)
    if (!key.every((byte) => byte === key[0])) return key
    throw unreadable(path, `consists of one repeated byte; ${NEXT}`)
  } finally {
    content.fill(0)
  }
}

const KEY_BYTES = 32
/** More than any form of a key, with its line end. */
const MAX_BYTES = 128
const NEXT = 'write a key with: openssl rand -hex 32'
const WRONG = `holds no key of 32 bytes, as such, as 64 hexadecimal digits or as base64; ${NEXT}`

async function contentOf(path: string): Promise<Buffer> {
  const content = Buffer.alloc(MAX_BYTES + 1)
  try {
    // Opening a pipe would wait for its writer.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      const stats = await file.stat()
      const { mode, uid } = stats
      if (!stats.isFile()) throw unreadable(path, 'is not a regular file')
      if (!isTrusted(uid)) throw new KeyFileError(path, `belongs to user ${uid}; ${MODE}`, true)
      if (process.geteuid && (mode & OTHERS_OR_WRITABLE) !== 0) {
        const text = (mode & 0o777).toString(8).padStart(4, '0')
        throw new KeyFileError(path, `can be read or changed by other users (mode ${text}); ${MODE}`, true)
      }
      const { bytesRead } = await file.read(content, 0, content.length, 0)
      return content.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    content.fill(0)
    if (error instanceof KeyFileError) throw error
    throw unreadable(path, `cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
}

/** Any access of others, and writing by the group. */
const OTHERS_OR_WRITABLE = 0o027
const MODE = 'it must belong to this user or root, with mode 0600 or 0640'

/** `null` for anything else, also for 32 bytes of text: they are a key of 16 bytes in hexadecimal, or a password. */
function keyIn(content: Buffer): Buffer | null {
  if (content.length === KEY_BYTES) return content.every(isText) ? null : Buffer.from(content)
  let length = content.length
  while (length > 0 && WHITE.includes(content[length - 1] as number)) length--
  if (length === 64) return decoded(content.subarray(0, length), 4, hexDigit)
  if (length === 44 && content[length - 1] === PADDING) length--
  return length === 43 ? decoded(content.subarray(0, length), 6, base64Digit) : null
}

/** Without a string, because a string cannot be overwritten. */
function decoded(text: Uint8Array, bits: number, digitOf: (byte: number) => number): Buffer | null {
  const key = Buffer.alloc(KEY_BYTES)
  let [at, held, heldBits] = [0, 0, 0]
  for (const byte of text) {
    const value = digitOf(byte)
    if (value < 0) return null
    held = ((held << bits) | value) & 0xffff
    heldBits += bits
    if (heldBits < 8) continue
    heldBits -= 8
    key[at++] = held >> heldBits
  }
  return key
}

const WHITE: readonly number[] = [...Buffer.from(' \t\r\n')]
const [PADDING] = Buffer.from('=')
const HEX = Buffer.from('0123456789abcdef')
const BASE64 = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const BASE64URL = Buffer.from('-_')

function hexDigit(byte: number): number {
  // Upper case to lower case; a digit does not change.
  return byte < 0x30 ? -1 : HEX.indexOf(byte | 0x20)
}

function base64Digit(byte: number): number {
  const url = BASE64URL.indexOf(byte)
  return url < 0 ? BASE64.indexOf(byte) : 62 + url
}

function isText(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f
}

function unreadable(path: string, what: string): KeyFileError {
  return new KeyFileError(path, what, false)
}
