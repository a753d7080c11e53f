import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'

import { isTrusted, trustedEntry, UntrustedPathError } from '../base/trusted-path.js'
import { CommandError, EXIT } from './exit-codes.js'

/**
 * Where `serve` puts its control socket unless told otherwise: into the user's runtime directory, or without one below
 * the working directory. A runtime directory of another user, as `sudo` may leave it in the environment, is none.
 */
export function defaultControlPath(env: NodeJS.ProcessEnv = process.env): string {
  return candidates(env)[0] as string
}

/** Where the unit of examples/systemd puts it. */
const OF_THE_SERVICE = '/run/certswap/control.sock'

/** Where a client finds it. A service manager may have started the server without the user's runtime directory. */
export function findControlPath(
  env: NodeJS.ProcessEnv = process.env,
  exists: (path: string) => boolean = isThere,
): string {
  return [...candidates(env), OF_THE_SERVICE].find(exists) ?? defaultControlPath(env)
}

/**
 * The control socket that a client may believe: at `given`, or where it is found.
 *
 * - What is found must belong to root or to us, as must every directory on the way to it: see `trustedEntry`. The path of
 *   the service, which only root can have made, may belong to the user of the service.
 * - What was given may belong to another user too, in a directory that only that user, root or we can write to.
 *
 * @throws CommandError of refusal.
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

/** Where it cannot be looked at, connecting says why. */
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

/** "The directory MUST be owned by the user" (XDG Base Directory Specification). One that is missing may be made. */
function isOurs(runtime: string): boolean {
  const owner = statSync(runtime, { throwIfNoEntry: false })?.uid
  return owner === undefined || process.geteuid === undefined || owner === process.geteuid()
}

/** A link that leads nowhere is there too, and is refused for what it is. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
