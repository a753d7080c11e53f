import { createHash, timingSafeEqual } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'

import { ReloadError } from '../errors.js'
import type { Guard } from './app.js'
import { RequestProblem } from './problem-document.js'

const LEAST_CHARACTERS = 16
const MAX_BYTES = 4_096

/**
 * Lets only those in who send the token of the file. No more of it than a digest is kept, and digests compare in the
 * same time whatever was sent.
 *
 * @throws ReloadError `CONTROL_PATH_UNSAFE` for a file that others can read, `OPTIONS_INVALID` for one without a token.
 */
export function requireToken(file: string): Guard {
  const expected = digestOf(readToken(file))
  return (headers) => {
    const sent = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1] ?? ''
    if (timingSafeEqual(digestOf(sent), expected)) return
    throw new RequestProblem(
      'unauthorized',
      'expected Authorization: Bearer with the token of the token file',
      {
        headers: { 'WWW-Authenticate': 'Bearer' },
      },
    )
  }
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
    const { mode, size } = fstatSync(descriptor)
    if ((mode & 0o077) !== 0) {
      const message = `\`tcp.tokenFile\`: others than its owner may use ${file}; expected mode 0600`
      throw new ReloadError('CONTROL_PATH_UNSAFE', message, { path: file })
    }
    const token = size > MAX_BYTES ? '' : readFileSync(descriptor, 'utf8').trim()
    if (token.length >= LEAST_CHARACTERS && !/\s/.test(token)) return token
    const message = `\`tcp.tokenFile\`: expected one word of at least ${LEAST_CHARACTERS} characters in ${file}`
    throw new ReloadError('OPTIONS_INVALID', message, { path: file })
  } finally {
    closeSync(descriptor)
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
