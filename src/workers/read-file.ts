import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, statSync } from 'node:fs'

import { inodeStamp } from '../fingerprint/index.js'
import { ProblemError } from './problem.js'

/** A file's bytes and what it was when they were read. */
export interface FileRead {
  readonly bytes: Buffer<ArrayBuffer>
  readonly stamp: string
  /** False when the file changed under the read, so that the bytes may be torn. */
  readonly steady: boolean
}

/** Non-blocking, so that no FIFO or device can hold the thread; no controlling terminal is taken. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

/**
 * Reads a regular file (after following links) of at most `maxBytes`, opened once and stamped before and after.
 *
 * @throws ProblemError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `FILE_NOT_REGULAR` or `FILE_TOO_LARGE`.
 */
export function readFile(path: string, maxBytes: number): FileRead {
  // Looked at before it is opened: opening a FIFO or a device has effects on others.
  assertRegular(statFile(path), path, maxBytes)
  const fd = attempt(path, () => openSync(path, OPEN_FLAGS))
  try {
    const before = fstatSync(fd, { bigint: true })
    assertRegular(before, path, maxBytes)
    const bytes = attempt(path, () => readAtMost(fd, Number(before.size) + 1))
    const after = fstatSync(fd, { bigint: true })
    const stamp = inodeStamp(after)
    return { bytes, stamp, steady: stamp === inodeStamp(before) && bytes.length === Number(after.size) }
  } finally {
    closeSync(fd)
  }
}

/**
 * The stamp of a file that is not read.
 *
 * @throws ProblemError as {@link readFile} does.
 */
export function stampFile(path: string): string {
  const stats = statFile(path)
  assertRegular(stats, path, Number.POSITIVE_INFINITY)
  return inodeStamp(stats)
}

/** Mode bits and owner of a file, for what is said about permissions; `null` when it cannot be looked at. */
export function permissionsOf(path: string): { mode: number; uid: number; gid: number } | null {
  try {
    const { mode, uid, gid } = statSync(path)
    return { mode: mode & 0o7777, uid, gid }
  } catch {
    return null
  }
}

/** Reads to the end of the file or to `limit`, which is one byte past the size that the file had. */
function readAtMost(fd: number, limit: number): Buffer<ArrayBuffer> {
  const buffer = Buffer.allocUnsafeSlow(limit)
  let length = 0
  while (length < limit) {
    const count = readSync(fd, buffer, length, limit - length, null)
    if (count === 0) break
    length += count
  }
  return buffer.subarray(0, length)
}

type BigStats = NonNullable<ReturnType<typeof statFile>>

function statFile(path: string) {
  return attempt(path, () => statSync(path, { bigint: true }))
}

function assertRegular(stats: BigStats, path: string, maxBytes: number): void {
  if (!stats.isFile()) {
    throw new ProblemError('FILE_NOT_REGULAR', `${path} is ${kindOf(stats)}, not a regular file`, path)
  }
  if (stats.size > maxBytes) {
    const message = `${path} holds ${stats.size} bytes, more than the limit of ${maxBytes}`
    throw new ProblemError('FILE_TOO_LARGE', message, path)
  }
}

function kindOf(stats: BigStats): string {
  if (stats.isDirectory()) return 'a directory'
  if (stats.isFIFO()) return 'a FIFO'
  if (stats.isSocket()) return 'a socket'
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return 'a device'
  return 'something else'
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw fileProblem(path, error as NodeJS.ErrnoException)
  }
}

/** What a failed system call on a file or directory comes to. */
export function fileProblem(path: string, error: NodeJS.ErrnoException): ProblemError {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new ProblemError('FILE_NOT_FOUND', `${path} ${danglingTarget(path) ?? 'does not exist'}`, path)
    case 'ELOOP':
      return new ProblemError('FILE_UNREADABLE', `${path} is a symbolic link that leads back to itself`, path)
    case 'EACCES':
    case 'EPERM':
      return new ProblemError('FILE_UNREADABLE', `${path} cannot be read: ${permissionReason(path)}`, path)
    default:
      return new ProblemError(
        'FILE_UNREADABLE',
        `${path} cannot be read: ${error.code ?? 'unknown error'}`,
        path,
      )
  }
}

function danglingTarget(path: string): string | null {
  try {
    return `is a symbolic link to ${readlinkSync(path)}, which does not exist`
  } catch {
    return null
  }
}

/** Says who may read the file and who we are, which is what the operator has to compare. */
function permissionReason(path: string): string {
  const we = `we run as uid ${process.geteuid?.() ?? '?'}, gid ${process.getegid?.() ?? '?'}`
  const found = permissionsOf(path)
  if (found) return `its mode is ${octal(found.mode)}, its owner ${found.uid}:${found.gid}, and ${we}`
  return `a directory on the way to it may not be searched, and ${we}`
}

/** Mode bits as `ls` and `chmod` users write them, for instance `0600`. */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
