import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'

import { isTrusted, trustedEntry, UntrustedPathError } from '../base/trusted-path.js'
import { CommandError, EXIT } from './exit-codes.js'

/**
 * The default control socket of `serve`: in the user's runtime directory, or below the working directory if there is none. A
 * runtime directory of another user, which `sudo` may leave in the environment, is ignored.
 */
export function defaultControlPath(env: NodeJS.ProcessEnv = process.env): string {
  return candidates(env)[0] as string
}

/** The control socket of the unit in examples/systemd. */
const OF_THE_SERVICE = '/run/certswap/control.sock'

/** The first control socket that exists. A service manager may have started the server without a runtime directory. */
export function findControlPath(
  env: NodeJS.ProcessEnv = process.env,
  exists: (path: string) => boolean = isThere,
): string {
  return [...candidates(env), OF_THE_SERVICE].find(exists) ?? defaultControlPath(env)
}

/**
 * The control socket that a client may trust: the one in `given`, or the one that is found.
 *
 * - A socket that is found, and every directory on its path, must belong to root or to this user: see `trustedEntry`. The
 *   socket of the service, whose path only root can create, may belong to the user of the service.
 * - A socket that was given may also belong to another user, in a directory that only that user, root or this user can
 *   write to.
 *
 * @throws CommandError `EXIT.refused`
 */
export function trustedControlPath(given: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  if (given !== undefined) {
    assertGiven(given)
    return given
  }
  const found = findControlPath(env)
  if (found === OF_THE_SERVICE) assertGiven(found)
  else assertFound(found)
  return found
}

function assertFound(path: string): void {
  try {
    const directory = trustedEntry(dirname(path))
    const stats = directory && lstatSync(path, { throwIfNoEntry: false })
    if (!stats || isTrusted(stats.uid)) return
    throw new UntrustedPathError(path, `belongs to user ${stats.uid}`)
  } catch (error) {
    if (!(error instanceof UntrustedPathError)) throw error
    const next = `if this is the right server, pass its path: --control ${path}`
    throw new CommandError(EXIT.refused, [`the control socket ${path} is not used: ${error.message}`, next], {
      cause: error,
    })
  }
}

/** If the socket cannot be examined, connecting to it reports why. */
function assertGiven(path: string): void {
  let link: Stats
  let socket: Stats
  let directory: Stats
  try {
    link = lstatSync(path)
    const real = realpathSync(path)
    socket = lstatSync(real)
    directory = statSync(dirname(real))
  } catch {
    return
  }
  const reason = flawOfGiven(link, socket, directory)
  if (reason === null) return
  const next = 'give the server a directory of its own, mode 0700, for its control socket'
  throw new CommandError(EXIT.refused, [`the control socket ${path} is not used: it ${reason}`, next])
}

function flawOfGiven(link: Stats, { uid: owner }: Stats, directory: Stats): string | null {
  if (link.isSymbolicLink() && !isTrusted(link.uid)) return `is a link of user ${link.uid}`
  if (isTrusted(owner)) return null
  if ((directory.mode & 0o002) !== 0) {
    return `belongs to user ${owner}, in a directory that every user can write to`
  }
  if (directory.uid === owner || isTrusted(directory.uid)) return null
  return `belongs to user ${owner}, in a directory of user ${directory.uid}`
}

function candidates({ XDG_RUNTIME_DIR: runtime }: NodeJS.ProcessEnv): string[] {
  const here = join('.certswap', 'control.sock')
  return runtime !== undefined && isAbsolute(runtime) && isOurs(runtime)
    ? [join(runtime, 'certswap', 'control.sock'), here]
    : [here]
}

/** "The directory MUST be owned by the user" (XDG Base Directory Specification). A missing one may be created. */
function isOurs(runtime: string): boolean {
  const owner = statSync(runtime, { throwIfNoEntry: false })?.uid
  return owner === undefined || process.geteuid === undefined || owner === process.geteuid()
}

/** A dangling link exists too, and is refused as a link. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
