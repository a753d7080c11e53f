import { hkdfSync } from 'node:crypto'

import { ProblemError } from '../base/problem.js'
import { shellWord } from '../base/shell-word.js'
import { emptiness } from '../read/emptiness.js'
import type { MaterialSet } from '../read/material-reader.js'

/** Less would be guessed sooner than the ticket keys that are derived from it. */
const LEAST_BYTES = 32

/**
 * The secret that session-ticket keys are derived from, in a buffer of its own.
 *
 * @throws ProblemError `TICKET_SECRET_INVALID`
 */
export function readTicketSecret(set: MaterialSet): Uint8Array<ArrayBuffer> | null {
  const [item] = set.itemsOf('ticket-secret')
  if (!item) return null
  const { id: path, bytes } = item
  // A file that a crash has left full of NULs is long enough, and no secret.
  const why = emptiness(bytes)
  if (why !== null || bytes.length < LEAST_BYTES) {
    const flaw = why ?? `holds ${bytes.length} bytes, expected at least ${LEAST_BYTES}`
    const message = `${path} ${flaw}; write it with: openssl rand -out ${shellWord(path)} 48`
    throw new ProblemError('TICKET_SECRET_INVALID', message, path)
  }
  return new Uint8Array(bytes)
}

/** Tells one secret from another and says nothing of either. */
export function ticketSecretName(secret: Uint8Array): string {
  return Buffer.from(hkdfSync('sha256', secret, '', 'certswap name of a ticket secret', 16)).toString('hex')
}
