import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type BigIntStats, chmodSync, chownSync, renameSync, unlinkSync } from 'node:fs'
import type { Server } from 'node:net'
import { basename, dirname, join, resolve } from 'node:path'

import { ReloadError } from '../base/errors.js'
import { BACKLOG } from './backlog.js'
import { assertParent, bindablePath, entryAt, isSame, MAX_PATH_BYTES, replaceable } from './socket-path.js'

export interface UnixSocketOptions {
  readonly path: string
  /** Permission bits of the socket. */
  readonly mode: number
  /** Group ID of the socket; `null` keeps the group of the process. */
  readonly gid: number | null
  /** Whether to replace a socket on which another process still listens; that process keeps its connections. */
  readonly takeover: boolean
}

/** A socket file that a server listens on. */
export interface BoundSocket {
  readonly path: string
  /** Removes the file if it is still the one that was bound. */
  unlink(): void
}

/** Most retries while other processes bind the same path. */
const ATTEMPTS = 5

/**
 * Makes a server listen on a Unix socket that is private from the start and appears at its path atomically: it is bound
 * under a temporary name with a umask of 0177 and then renamed. Only a socket without a listener (or with `takeover`) is
 * replaced.
 *
 * @throws ReloadError `OPTIONS_INVALID`, `CONTROL_PATH_UNSAFE`, `CONTROL_PATH_IN_USE` or `CONTROL_UNAVAILABLE`.
 */
export async function bindUnixSocket(server: Server, options: UnixSocketOptions): Promise<BoundSocket> {
  const path = bindablePath(options.path)
  assertParent(path)
  let there = await replaceable(path, options.takeover)
  const temporary = temporaryPath(path)
  await listenPrivately(server, temporary)
  try {
    const ours = entryAt(temporary) as BigIntStats
    if (options.gid !== null) chownSync(temporary, -1, options.gid)
    if (options.mode !== 0o600) chmodSync(temporary, options.mode)
    // Another process may have bound the path since the check, so check and rename in one turn.
    for (let attempt = 1; !isSame(entryAt(path), there); attempt++) {
      if (attempt > ATTEMPTS) throw unavailable(path, 'other processes keep binding it')
      there = await replaceable(path, options.takeover)
    }
    renameSync(temporary, path)
    const absolute = resolve(path)
    return { path, unlink: () => unlinkOwn(absolute, ours) }
  } catch (error) {
    server.close()
    if (error instanceof ReloadError) throw error
    throw unavailable(path, (error as NodeJS.ErrnoException).code ?? 'unknown error', error)
  }
}

/** Binding is synchronous, so no other code of the main thread creates a file under this umask. */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const before = changeUmask(0o177, path)
  const listening = once(server, 'listening')
  try {
    // `exclusive`: otherwise the primary of a cluster would bind it, later and under its own umask.
    server.listen({ path, exclusive: true, backlog: BACKLOG })
  } finally {
    process.umask(before)
  }
  try {
    await listening
  } catch (error) {
    throw unavailable(path, (error as NodeJS.ErrnoException).code ?? 'unknown error', error)
  }
}

function changeUmask(mask: number, path: string): number {
  try {
    return process.umask(mask)
  } catch (error) {
    throw unavailable(path, 'a worker thread cannot set the umask; listen on the main thread', error)
  }
}

/** In the same directory, because a rename cannot cross file systems; at most {@link MAX_PATH_BYTES} long. */
function temporaryPath(path: string): string {
  const random = randomBytes(8).toString('hex')
  const long = `${path}.${process.pid}.${random.slice(0, 6)}`
  if (Buffer.byteLength(long) <= MAX_PATH_BYTES) return long
  return join(dirname(path), random.slice(0, Buffer.byteLength(basename(path))))
}

/** Removes the file unless another process has replaced it. */
function unlinkOwn(path: string, ours: BigIntStats): void {
  if (isSame(entryAt(path), ours)) unlinkSync(path)
}

function unavailable(path: string, reason: string, cause?: unknown): ReloadError {
  return new ReloadError('CONTROL_UNAVAILABLE', `cannot listen on the control socket ${path}: ${reason}`, {
    path,
    cause,
  })
}
