import type { IncomingMessage } from 'node:http'

import { refused, type Subject } from './failures.js'

export interface BodyLimit {
  /** The option that sets the limit. */
  readonly option: 'maxBytes' | 'maxHostBytes'
  readonly maxBytes: number
}

/** Types of PEM, and the general types that servers use for unknown files. A page for browsers is none of them. */
const PEM_TYPES = new Set([
  'application/pem-certificate-chain',
  'application/x-pem-file',
  'application/x-x509-ca-cert',
  'application/x-x509-user-cert',
  'application/octet-stream',
  'text/plain',
])

/**
 * The complete body of an answer, in a buffer of its own.
 *
 * @throws SourceError `SOURCE_INVALID` for what is not PEM, is too large or ends early.
 */
export async function readPemBody(
  response: IncomingMessage,
  subject: Subject,
  limit: BodyLimit,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const why = whyRefused(response, limit)
  if (why !== null) throw refused(subject, why)
  const chunks: Buffer[] = []
  try {
    const body = joined(await collect(response, chunks, subject, limit, signal))
    if (body.includes('-----BEGIN ')) return body
    throw refused(subject, 'the answer contains no PEM')
  } finally {
    // They may contain a key.
    for (const chunk of chunks) chunk.fill(0)
  }
}

/** Why the head of an answer excludes its body. */
function whyRefused({ headers }: IncomingMessage, limit: BodyLimit): string | null {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== undefined && !PEM_TYPES.has(type)) return 'the content type of the answer is not one of PEM'
  const encoding = headers['content-encoding']?.toLowerCase() ?? 'identity'
  if (encoding !== 'identity') return 'the answer has a content encoding, although none is accepted'
  const length = headers['content-length']
  if (length === undefined && headers['transfer-encoding'] === undefined) {
    return 'the answer has neither a content length nor chunks, so that its end cannot be verified'
  }
  return Number(length) > limit.maxBytes ? tooLarge(limit) : null
}

async function collect(
  response: IncomingMessage,
  chunks: Buffer[],
  subject: Subject,
  limit: BodyLimit,
  signal: AbortSignal,
): Promise<Buffer[]> {
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
      if (size > limit.maxBytes) throw refused(subject, tooLarge(limit))
    }
  } catch (error) {
    // After the head of the answer, only its end can be missing.
    if (size > limit.maxBytes || signal.aborted) throw error
    throw refused(subject, 'the answer ended early')
  }
  if (!response.complete) throw refused(subject, 'the answer ended early')
  return chunks
}

/** Not `Buffer.concat`, which would put a small key into a buffer that is shared with other data. */
function joined(chunks: readonly Buffer[]): Buffer {
  const body = Buffer.alloc(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) at += chunk.copy(body, at)
  return body
}

function tooLarge({ option, maxBytes }: BodyLimit): string {
  return `the answer has more than ${maxBytes} bytes; check the URL, or raise \`${option}\``
}
