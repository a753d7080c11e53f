import { createHash, timingSafeEqual } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'

import { ReloadError } from '../base/errors.js'
import { isTrusted } from '../base/trusted-path.js'
import type { Guard } from './app.js'
import { HTTP_LIMITS } from './http-server.js'
import { RequestProblem } from './problem-document.js'

const MIN_CHARACTERS = 16
const MAX_BYTES = 4_096

/** The token of the file. Only its digest is kept. */
export interface BearerToken {
  /** Whether this value of `Authorization` contains the token. Digests are compared in constant time. */
  isIn(authorization: string): boolean
}

/** @throws ReloadError `CONTROL_PATH_UNSAFE` for a file that other users can access, `OPTIONS_INVALID` without a token. */
export function loadToken(file: string): BearerToken {
  const expected = digestOf(readToken(file))
  return {
    isIn: (authorization) =>
      timingSafeEqual(digestOf(/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? ''), expected),
  }
}

/** Refuses every request without the token. */
export function requireToken(token: BearerToken): Guard {
  return (headers) => {
    if (token.isIn(headers.get('authorization') ?? '')) return
    throw new RequestProblem(
      'unauthorized',
      'expected Authorization: Bearer with the token of the token file',
      {
        headers: { 'WWW-Authenticate': 'Bearer' },
      },
    )
  }
}

/** Whether the first bytes of a request contain the token: classifies the connection before it is parsed. */
export function isTokenWithin(token: BearerToken, bytes: Buffer): boolean {
  const value = /\r\nauthorization:[ \t]*([^\r\n]*?)[ \t]*\r\n/i.exec(
    bytes.toString('latin1', 0, HTTP_LIMITS.headerBytes),
  )
  return value !== null && token.isIn(value[1] as string)
}

function readToken(file: string): string {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ReloadError('OPTIONS_INVALID', `\`tcp.tokenFile\`: ${file} cannot be opened: ${code}`, {
      cause: error,
    })
  }
  try {
    const { mode, size, uid } = fstatSync(descriptor)
    if (!isTrusted(uid)) {
      const message = `\`tcp.tokenFile\`: ${file} belongs to user ${uid}; expected a file of this user or root, mode 0600`
      throw new ReloadError('CONTROL_PATH_UNSAFE', message, { path: file })
    }
    if ((mode & 0o077) !== 0) {
      const message = `\`tcp.tokenFile\`: other users can access ${file}; expected mode 0600`
      throw new ReloadError('CONTROL_PATH_UNSAFE', message, { path: file })
    }
    const token = size > MAX_BYTES ? '' : readFileSync(descriptor, 'utf8').trim()
    if (token.length >= MIN_CHARACTERS && !/\s/.test(token)) return token
    const message = `\`tcp.tokenFile\`: expected one word of at least ${MIN_CHARACTERS} characters in ${file}`
    throw new ReloadError('OPTIONS_INVALID', message, { path: file })
  } finally {
    closeSync(descriptor)
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
