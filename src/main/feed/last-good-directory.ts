import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'

import { ProblemError } from '../../workers/base/problem.js'
import { findTrustedEntry, UntrustedPathError } from '../base/trusted-path.js'
import { MAX_FILE_BYTES } from './last-good-file.js'

/** What the files are protected by: `permissions` must keep other users out, encryption does so itself. */
export type Protection = 'permissions' | 'encryption'

/**
 * Checks that no other user can replace the files in a directory. Encrypted files need no such check.
 *
 * @returns whether the directory exists.
 * @throws ProblemError `LAST_GOOD_OPEN` or `LAST_GOOD_UNREADABLE`
 */
export async function assertDirectory(dir: string, protection: Protection): Promise<boolean> {
  if (protection === 'encryption') return await exists(dir)
  try {
    return (await findTrustedEntry(dir)) !== null
  } catch (error) {
    if (!(error instanceof UntrustedPathError)) throw unreadable(dir, error)
    const message = `other users can replace files in ${dir}: ${error.message}; use a directory with mode 0700, or set \`lastGood.keyFile\``
    throw new ProblemError('LAST_GOOD_OPEN', message, dir)
  }
}

/** Creates the last directory of the path, with mode 0700. @throws the error of the system. */
export async function createDirectory(dir: string): Promise<void> {
  await mkdir(dir, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

/**
 * The content of a file, in a buffer of its own. Links are not followed.
 *
 * @returns `null` if it does not exist.
 * @throws ProblemError `LAST_GOOD_OPEN` or `LAST_GOOD_UNREADABLE`
 */
export async function readGuarded(path: string, protection: Protection): Promise<Buffer | null> {
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDONLY | NO_FOLLOW | (constants.O_NONBLOCK ?? 0))
    const stats = await file.stat()
    assertReadable(path, stats, protection)
    return await contentOf(file, stats.size)
  } catch (error) {
    if (error instanceof ProblemError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unreadable(path, error)
  } finally {
    await file?.close()
  }
}

/**
 * Replaces a file as a whole: a reader finds the new content or the previous one, also after a power failure.
 *
 * @throws the error of the system.
 */
export async function replaceFile(dir: string, name: string, pieces: Iterable<Buffer>): Promise<void> {
  const temporary = join(dir, `${name}.${randomBytes(8).toString('hex')}.tmp`)
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW
    const file = await open(temporary, flags, 0o600)
    try {
      for (const piece of pieces) await writeAll(file, piece)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, join(dir, name))
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
  await syncDirectory(dir)
}

/**
 * Removes what killed processes left behind. Only files of a certain age, because another process, the successor or
 * predecessor of this one, may be writing its own.
 *
 * @throws the error of the system.
 */
export async function removeLeftovers(dir: string, nowMs: number): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!LEFTOVER.test(name)) continue
    const path = join(dir, name)
    const age = await stat(path).then(
      ({ mtimeMs }) => nowMs - mtimeMs,
      () => 0,
    )
    // Another process may have removed it at the same time.
    if (age > LEFTOVER_AGE_MS) await unlink(path).catch(() => {})
  }
}

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0
const LEFTOVER = /^last-good(\.seq)?\.[0-9a-f]{16}\.tmp$/
/** Far longer than a write takes. A slower one fails at its rename, and is repeated. */
const LEFTOVER_AGE_MS = 60_000
const OTHERS = 0o077

async function exists(dir: string): Promise<boolean> {
  try {
    await stat(dir)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw unreadable(dir, error)
  }
}

function assertReadable(path: string, stats: Stats, protection: Protection): void {
  if (!stats.isFile()) throw new ProblemError('LAST_GOOD_UNREADABLE', `${path} is not a regular file`, path)
  const user = process.geteuid?.()
  if (user !== undefined && stats.uid !== user) {
    const message = `${path} belongs to user ${stats.uid}, and we are user ${user}; it is not served`
    throw new ProblemError('LAST_GOOD_OPEN', message, path)
  }
  if (user !== undefined && protection === 'permissions' && (stats.mode & OTHERS) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0')
    const message = `other users can access ${path} (mode ${mode}), and it is not encrypted; it is not served`
    throw new ProblemError('LAST_GOOD_OPEN', message, path)
  }
  if (stats.size > MAX_FILE_BYTES) {
    const message = `${path} has ${stats.size} bytes, more than the limit of ${MAX_FILE_BYTES}`
    throw new ProblemError('LAST_GOOD_UNREADABLE', message, path)
  }
}

/** Shorter than `size` if the file was truncated at the same time. */
async function contentOf(file: FileHandle, size: number): Promise<Buffer> {
  const content = Buffer.allocUnsafeSlow(size)
  let at = 0
  while (at < size) {
    const { bytesRead } = await file.read(content, at, size - at, at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return content.subarray(0, at)
}

async function writeAll(file: FileHandle, piece: Buffer): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten
}

/** Without it, the rename may be lost in a power failure. Some systems cannot sync a directory. */
async function syncDirectory(dir: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(dir, constants.O_RDONLY)
  try {
    await handle.sync()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  } finally {
    await handle.close()
  }
}

function unreadable(path: string, error: unknown): ProblemError {
  const { code } = error as NodeJS.ErrnoException
  const reason = code === 'ELOOP' ? 'is a link' : `cannot be read: ${code}`
  return new ProblemError('LAST_GOOD_UNREADABLE', `${path} ${reason}`, path)
}
