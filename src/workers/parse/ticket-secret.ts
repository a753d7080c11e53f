import { hkdfSync } from 'node:crypto'

import { ProblemError } from '../base/problem.js'
import { shellWord } from '../base/shell-word.js'
import { emptiness } from '../read/emptiness.js'
import type { MaterialSet } from '../read/material-reader.js'

/** A shorter secret would be easier to guess than the ticket keys derived from it. */
const MIN_BYTES = 32

/**
 * The secret from which session-ticket keys are derived, in its own buffer.
 *
 * @throws ProblemError `TICKET_SECRET_INVALID`
 */
export function readTicketSecret(set: MaterialSet): Uint8Array<ArrayBuffer> | null {
  const [item] = set.itemsOf('ticket-secret')
  if (!item) return null
  const { id: path, bytes } = item
  // A file that a crash filled with NULs is long enough but not secret.
  const why = emptiness(bytes)
  if (why !== null || bytes.length < MIN_BYTES) {
    const flaw = why ?? `holds ${bytes.length} bytes, expected at least ${MIN_BYTES}`
    const message = `${path} ${flaw}; write it with: openssl rand -out ${shellWord(path)} 48`
    throw new ProblemError('TICKET_SECRET_INVALID', message, path)
  }
  return new Uint8Array(bytes)
}

/** Identifies a secret without revealing it. */
export function ticketSecretName(secret: Uint8Array): string {
  return Buffer.from(hkdfSync('sha256', secret, '', 'certswap name of a ticket secret', 16)).toString('hex')
}
