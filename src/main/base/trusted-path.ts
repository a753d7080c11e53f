import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  type Stats,
} from 'node:fs'
import { lstat, readlink } from 'node:fs/promises'
import { dirname, isAbsolute, join, parse, sep } from 'node:path'

/** The number of links that Linux follows on one path. */
const MAX_LINKS = 40

/**
 * Resolves a path as the kernel does, and checks every directory and link on the way: each must belong to root or to the user
 * of this process, and none may be world-writable unless the sticky bit protects its entries. The last entry must not be
 * writable by any other user. This is the rule of `sudo` and of OpenSSH's StrictModes, except that group-writable directories
 * are allowed, because a umask of 0002 creates them.
 *
 * Without users (on Windows) every path is accepted.
 *
 * @returns the path without links; `null` if it does not exist.
 * @throws UntrustedPathError
 */
export function trustedEntry(path: string): string | null {
  const walk = walkTo(path)
  for (let step = walk.next(); ; step = walk.next(entryAt(step.value))) if (step.done) return step.value
}

/** As {@link trustedEntry}, without blocking the event loop: storage that hangs must not stop it. */
export async function findTrustedEntry(path: string): Promise<string | null> {
  const walk = walkTo(path)
  for (let step = walk.next(); ; step = walk.next(await findEntry(step.value)))
    if (step.done) return step.value
}

/** A directory entry; `target` is that of a link. */
interface Entry {
  readonly stats: Stats
  readonly target: string | null
}

/** Yields each path to look at, and takes what is there. */
function* walkTo(path: string): Generator<string, string | null, Entry | null> {
  // Not normalized before: `..` after a link is the parent of the link's target.
  const absolute = isAbsolute(path) ? path : `${process.cwd()}${sep}${path}`
  const { root } = parse(absolute)
  const rest = partsOf(absolute.slice(root.length))
  let at = root
  let links = 0
  let last = yield at
  if (!last) return null
  assertOwned(at, last.stats, false)
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === '..') {
      at = dirname(at)
      continue
    }
    const next = join(at, part)
    const found = yield next
    if (!found) return null
    if (found.target === null) {
      at = next
      assertOwned(at, found.stats, false)
      continue
    }
    // The mode of a link has no meaning.
    if (!isTrusted(found.stats.uid))
      throw new UntrustedPathError(next, `is a link of user ${found.stats.uid}`)
    if (++links > MAX_LINKS)
      throw new UntrustedPathError(next, 'is a link that leads through too many others')
    if (isAbsolute(found.target)) at = root
    rest.unshift(...partsOf(found.target))
  }
  // Only here, because a path may also end in `..`, or in a link to one of its own directories.
  last = yield at
  if (!last) return null
  assertOwned(at, last.stats, true)
  return at
}

function entryAt(path: string): Entry | null {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (!stats) return null
  return { stats, target: stats.isSymbolicLink() ? readlinkSync(path) : null }
}

async function findEntry(path: string): Promise<Entry | null> {
  try {
    const stats = await lstat(path)
    return { stats, target: stats.isSymbolicLink() ? await readlink(path) : null }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** A path whose target another user can change. */
export class UntrustedPathError extends Error {
  /**
   * @param path - the directory, link or file that allows it.
   * @param reason - for instance `belongs to user 1000`.
   */
  constructor(path: string, reason: string) {
    super(`${path} ${reason}`)
  }
}

/**
 * The text of a file at a trusted path, see {@link trustedEntry}. It is opened without following links and checked again, so
 * that the read file is the checked one.
 *
 * @throws UntrustedPathError, or the error of the system.
 */
export function readTrusted(path: string): string | null {
  const found = trustedEntry(path)
  if (!found) return null
  const fd = openSync(found, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  try {
    const stats = fstatSync(fd)
    if (!stats.isFile()) throw new UntrustedPathError(found, 'is not a regular file')
    assertOwned(found, stats, true)
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

/** Root is trusted, because root can change everything anyway. */
export function isTrusted(owner: number): boolean {
  const uid = process.geteuid?.()
  return uid === undefined || owner === uid || owner === 0
}

function partsOf(path: string): string[] {
  return path.split(sep).filter((part) => part !== '' && part !== '.')
}

const OTHERS_WRITE = 0o002
const GROUP_WRITES = 0o020
const STICKY = 0o1000

function assertOwned(path: string, { uid: owner, mode }: Stats, last: boolean): void {
  const uid = process.geteuid?.()
  if (uid === undefined) return
  if (!isTrusted(owner))
    throw new UntrustedPathError(path, `belongs to user ${owner}, and we are user ${uid}`)
  const sticky = !last && (mode & STICKY) !== 0
  if ((mode & OTHERS_WRITE) !== 0 && !sticky)
    throw new UntrustedPathError(path, 'can be written by every user')
  if (last && (mode & GROUP_WRITES) !== 0) throw new UntrustedPathError(path, 'can be written by its group')
}
