import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, statSync } from 'node:fs'

import { contentDigest, inodeStamp } from '../../fingerprint/index.js'
import { type Problem, ProblemError } from '../base/problem.js'
import { markTouched, noteStamp } from '../progress/progress.js'
import { noteLinkCount } from './link-counts.js'
import { isSettled } from './settled.js'

/** A file's bytes and its stamp when they were read. */
export interface FileRead {
  readonly bytes: Buffer<ArrayBuffer>
  readonly stamp: string
  /** `false` if the file changed during the read, so that the bytes may be inconsistent. */
  readonly steady: boolean
}

/** Non-blocking, so that no FIFO or device can block the thread, and without acquiring a controlling terminal. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

/**
 * Reads a regular file (after following links) of at most `maxBytes`, opened once and stamped before and after.
 *
 * @throws ProblemError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `FILE_NOT_REGULAR` or `FILE_TOO_LARGE`.
 */
export function readFile(path: string, maxBytes: number): FileRead {
  return readStamped(path, maxBytes, (fd, limit) => readAtMost(fd, Buffer.allocUnsafeSlow(limit)))
}

/**
 * Reads a file again; if its bytes are the same, returns the earlier buffer.
 *
 * @throws ProblemError as {@link readFile} does.
 */
export function readFileAgain(path: string, maxBytes: number, { bytes }: FileRead): FileRead {
  return readStamped(path, maxBytes, (fd, limit) =>
    inScratch(fd, limit, (now) => (now.equals(bytes) ? bytes : copyOf(now))),
  )
}

/**
 * Whether a file read a moment ago is certainly unchanged: it had settled before, and its stamp is the same.
 *
 * @throws ProblemError as {@link stampFile} does.
 */
export function isUnchanged(path: string, { steady, stamp }: FileRead): boolean {
  return steady && isSettled(stamp, Date.now()) && stampFile(path) === stamp
}

/**
 * {@link contentDigest} of a file whose content is not needed.
 *
 * @throws ProblemError as {@link readFile} does.
 */
export function digestFile(path: string, maxBytes: number): string {
  return withFile(path, maxBytes, (fd, { size }) => inScratch(fd, Number(size) + 1, contentDigest))
}

/**
 * The stamp of a file, without reading it.
 *
 * @throws ProblemError as {@link readFile} does.
 */
export function stampFile(path: string): string {
  const stats = statFile(path)
  assertRegular(stats, path, Number.POSITIVE_INFINITY)
  noteLinkCount(path, stats.nlink)
  return inodeStamp(stats)
}

/** Mode bits and owner of a file, for messages about permissions; `null` if unavailable. */
export function permissionsOf(path: string): { mode: number; uid: number; gid: number } | null {
  try {
    markTouched(path)
    const { mode, uid, gid } = statSync(path)
    return { mode: mode & 0o7777, uid, gid }
  } catch {
    return null
  }
}

/** Result of `read`, which gets a limit of one byte more than the size of the file when it was opened. */
function readStamped(
  path: string,
  maxBytes: number,
  read: (fd: number, limit: number) => Buffer<ArrayBuffer>,
): FileRead {
  return withFile(path, maxBytes, (fd, before) => {
    const bytes = read(fd, Number(before.size) + 1)
    const after = fstatSync(fd, { bigint: true })
    const stamp = inodeStamp(after)
    noteStamp(path, stamp)
    return { bytes, stamp, steady: stamp === inodeStamp(before) && bytes.length === Number(after.size) }
  })
}

function withFile<T>(path: string, maxBytes: number, act: (fd: number, stats: BigStats) => T): T {
  // Checked before opening: opening a FIFO or a device affects other processes.
  assertRegular(statFile(path), path, maxBytes)
  const fd = attempt(path, () => openSync(path, OPEN_FLAGS))
  try {
    const stats = fstatSync(fd, { bigint: true })
    assertRegular(stats, path, maxBytes)
    noteLinkCount(path, stats.nlink)
    return attempt(path, () => act(fd, stats))
  } finally {
    closeSync(fd)
  }
}

/** Reads to the end of the file or the buffer. */
function readAtMost(fd: number, buffer: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  let length = 0
  while (length < buffer.length) {
    const count = readSync(fd, buffer, length, buffer.length - length, null)
    if (count === 0) break
    length += count
  }
  return buffer.subarray(0, length)
}

/** Reused for bytes that are not kept: allocating memory for a bundle takes longer than reading it. */
let scratch = Buffer.allocUnsafeSlow(0)
const MAX_SCRATCH_BYTES = 1024 * 1024

/** Overwritten after use, because any file may hold a key. */
function inScratch<T>(fd: number, limit: number, use: (bytes: Buffer<ArrayBuffer>) => T): T {
  const room = limit > scratch.length ? Buffer.allocUnsafeSlow(limit) : scratch
  if (limit <= MAX_SCRATCH_BYTES) scratch = room
  const bytes = readAtMost(fd, room.subarray(0, limit))
  try {
    return use(bytes)
  } finally {
    bytes.fill(0)
  }
}

function copyOf(bytes: Uint8Array): Buffer<ArrayBuffer> {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
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

/** Whether {@link stampFile} or a reader found a directory instead of a file. */
export function isDirectoryProblem({ code, path, message }: Problem): boolean {
  return code === 'FILE_NOT_REGULAR' && message.startsWith(`${path} is a directory,`)
}

function kindOf(stats: BigStats): string {
  if (stats.isDirectory()) return 'a directory'
  if (stats.isFIFO()) return 'a FIFO'
  if (stats.isSocket()) return 'a socket'
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return 'a device'
  return 'something else'
}

/**
 * Runs `act`; a failed system call becomes a problem with `path`.
 *
 * @throws ProblemError `FILE_NOT_FOUND` or `FILE_UNREADABLE`, and as {@link markTouched} does.
 */
export function attempt<T>(path: string, act: () => T): T {
  markTouched(path)
  try {
    return act()
  } catch (error) {
    throw fileProblem(path, error as NodeJS.ErrnoException)
  }
}

/** The problem of a failed system call on a file or directory. */
export function fileProblem(path: string, error: NodeJS.ErrnoException | ProblemError): ProblemError {
  if (error instanceof ProblemError) return error
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new ProblemError('FILE_NOT_FOUND', `${path} ${danglingTarget(path) ?? 'does not exist'}`, path)
    case 'ELOOP':
      return new ProblemError('FILE_UNREADABLE', `${path} is a symbolic link in a loop`, path)
    case 'EACCES':
    case 'EPERM':
      return new ProblemError('FILE_UNREADABLE', `${path} cannot be read: ${permissionReason(path)}`, path)
    default:
      return new ProblemError('FILE_UNREADABLE', `${path} cannot be read: ${systemReason(error)}`, path)
  }
}

function systemReason({ code = 'unknown error' }: NodeJS.ErrnoException): string {
  const hint = HINTS[code]
  return hint === undefined ? code : `${code}, ${hint}`
}

const HINTS: Readonly<Record<string, string>> = {
  ENOTCONN: 'the server of its mount has stopped; mount it again',
  ECONNABORTED: 'the server of its mount has stopped; mount it again',
  ESTALE: 'the server of its mount no longer has it; mount it again',
  ETIMEDOUT: 'the server of its mount does not answer',
  EHOSTDOWN: 'the server of its mount does not answer',
  EHOSTUNREACH: 'the server of its mount does not answer',
  EIO: 'its storage reports an error',
  EMFILE: 'the process has too many open files; raise `ulimit -n`',
  ENFILE: 'the system has too many open files; raise the sysctl `fs.file-max`',
}

function danglingTarget(path: string): string | null {
  try {
    return `is a symbolic link to ${readlinkSync(path)}, which does not exist`
  } catch {
    return null
  }
}

/** The file's permissions and the identity of this process, for the operator to compare. */
function permissionReason(path: string): string {
  const we = `certswap runs as uid ${process.geteuid?.() ?? '?'}, gid ${process.getegid?.() ?? '?'}`
  const found = permissionsOf(path)
  if (found) return `its mode is ${octal(found.mode)}, its owner ${found.uid}:${found.gid}, and ${we}`
  return `a directory on the way to it may not be searched, and ${we}`
}

/** Mode bits as in `ls` and `chmod`, for example `0600`. */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
