import { type BigIntStats, lstatSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, resolve } from 'node:path'

import { ReloadError } from '../base/errors.js'
import { isTrusted } from '../base/trusted-path.js'

/** Size of `sun_path` without its NUL. Node 20 truncates a longer path and binds elsewhere. */
export const MAX_PATH_BYTES = 107

/**
 * The path to bind, absolute if it then fits into {@link MAX_PATH_BYTES}.
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function bindablePath(path: string): string {
  const absolute = resolve(path)
  const bindable = Buffer.byteLength(absolute) <= MAX_PATH_BYTES ? absolute : path
  const bytes = Buffer.byteLength(bindable)
  if (bytes <= MAX_PATH_BYTES) return bindable
  const message = `\`path\`: expected at most ${MAX_PATH_BYTES} bytes, the limit of a socket path, got ${bytes}: ${path}`
  throw new ReloadError('OPTIONS_INVALID', message, { path })
}

/**
 * Checks the directory of the socket: a user with write access to it could replace the socket and receive the requests.
 *
 * @throws ReloadError `CONTROL_PATH_UNSAFE`
 */
export function assertParent(path: string): void {
  const parent = dirname(path)
  const stats = entryAt(parent)
  const refusal = !stats
    ? 'does not exist'
    : stats.isSymbolicLink()
      ? 'is a symbolic link'
      : !stats.isDirectory()
        ? 'is not a directory'
        : !isTrusted(Number(stats.uid))
          ? `belongs to user ${stats.uid}`
          : (stats.mode & 0o002n) !== 0n
            ? 'is writable by everyone'
            : null
  if (refusal === null) return
  const message = `the directory of the control socket, ${parent}, ${refusal}; expected a directory of this user, mode 0700`
  throw new ReloadError('CONTROL_PATH_UNSAFE', message, { path: parent })
}

/**
 * The replaceable socket at the path, which has no listener unless `takeover` is set; `null` if the path is free.
 *
 * @throws ReloadError `CONTROL_PATH_UNSAFE` for anything but a socket, `CONTROL_PATH_IN_USE` for one that is alive.
 */
export async function replaceable(path: string, takeover: boolean): Promise<BigIntStats | null> {
  const stats = entryAt(path)
  if (!stats) return null
  if (!stats.isSocket()) {
    const message = `${path} exists and is not a socket; it was not changed; choose another path`
    throw new ReloadError('CONTROL_PATH_UNSAFE', message, { path })
  }
  if (takeover || !(await answers(path))) return stats
  const message = `another process listens on the control socket ${path}; stop it, or choose another path`
  throw new ReloadError('CONTROL_PATH_IN_USE', message, { path })
}

export function isSame(one: BigIntStats | null, other: BigIntStats | null): boolean {
  return one?.dev === other?.dev && one?.ino === other?.ino
}

/**
 * The entry itself, not the target of a link; `null` if there is none. With big integers, because Node 20 and 22 resolve
 * links in module paths wrongly after any other `lstat` of a socket or pipe.
 */
export function entryAt(path: string): BigIntStats | null {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? null
}

/** Only a refused connection proves that there is no listener; a full queue, for instance, shows one. */
function answers(path: string): Promise<boolean> {
  return new Promise((settle) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      settle(true)
    })
    probe.once('error', ({ code }: NodeJS.ErrnoException) => {
      settle(code !== 'ECONNREFUSED' && code !== 'ENOENT')
    })
  })
}
