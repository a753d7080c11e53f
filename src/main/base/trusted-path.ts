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
import { dirname, isAbsolute, join, parse, sep } from 'node:path'

/** As many links as Linux follows on one path. */
const MAX_LINKS = 40

/**
 * Follows a path as the kernel does, and looks at every directory and link on the way: each must belong to root or to
 * us, and none may be writable by everyone, unless its entries are protected by the sticky bit. What is at its end must
 * belong to root or to us, and must not be writable by anybody else. This is the rule of `sudo` and of OpenSSH's
 * StrictModes, but for directories that a group may write to: a umask of 0002 makes them.
 *
 * Without users (on Windows) every path is taken.
 *
 * @returns the path without links; `null` where nothing is there.
 * @throws UntrustedPathError
 */
export function trustedEntry(path: string): string | null {
  // Not resolved beforehand: `..` after a link is the parent of what the link leads to.
  const absolute = isAbsolute(path) ? path : `${process.cwd()}${sep}${path}`
  const { root } = parse(absolute)
  const rest = partsOf(absolute.slice(root.length))
  let at = root
  let links = 0
  assertOwned(at, lstatSync(at), false)
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === '..') {
      at = dirname(at)
      continue
    }
    const next = join(at, part)
    const found = lstatSync(next, { throwIfNoEntry: false })
    if (!found) return null
    if (!found.isSymbolicLink()) {
      at = next
      assertOwned(at, found, false)
      continue
    }
    // The mode of a link says nothing.
    if (!isTrusted(found.uid)) throw new UntrustedPathError(next, `is a link of user ${found.uid}`)
    if (++links > MAX_LINKS)
      throw new UntrustedPathError(next, 'is a link that leads through too many others')
    const target = readlinkSync(next)
    if (isAbsolute(target)) at = root
    rest.unshift(...partsOf(target))
  }
  // Only now: a path may also end in `..`, or in a link to a directory that it has passed.
  assertOwned(at, lstatSync(at), true)
  return at
}

/** Another user decides what is found at a path. */
export class UntrustedPathError extends Error {
  /**
   * @param path - the directory, link or file that lets them.
   * @param reason - for instance `belongs to user 1000`.
   */
  constructor(path: string, reason: string) {
    super(`${path} ${reason}`)
  }
}

/**
 * The text of a file that is found as {@link trustedEntry} does. Opened without following a link and looked at once
 * more, so that it is the file that was judged.
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

/** Root can do everything anyway. */
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
