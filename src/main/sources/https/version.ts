import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

import { parseHttpDate } from './http-date.js'

/**
 * An entity tag (RFC 9110, section 8.8.3) without the bytes above ASCII, and short enough that two fit into the version of a
 * delivery. Any other value of `ETag` counts as none.
 */
const ENTITY_TAG = /^(?:W\/)?"[!#-~]{0,120}"$/

/**
 * The version of an answer: its entity tag. Without one, the time of `Last-Modified` and the SHA-256 of the public blocks; the
 * private key must not be a part of it, because versions are shown in logs and metrics.
 */
export function versionOf(headers: IncomingHttpHeaders, body: Uint8Array): string {
  const { etag } = headers
  if (etag !== undefined && ENTITY_TAG.test(etag)) return etag
  const modified = parseHttpDate(headers['last-modified'])
  const digest = `sha256:${publicDigest(body)}`
  return modified === null ? digest : `${new Date(modified).toISOString()};${digest}`
}

/** The entity tag with which a version begins; `null` if it has none. */
export function entityTagOf(version: string): string | null {
  const [first = ''] = version.split(' ', 1)
  return ENTITY_TAG.test(first) ? first : null
}

const BEGIN = '-----BEGIN '

/** The SHA-256 of all PEM blocks except keys. Each byte is examined a fixed number of times. */
function publicDigest(body: Uint8Array): string {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const hash = createHash('sha256')
  for (let from = bytes.indexOf(BEGIN); from >= 0; ) {
    const labelFrom = from + BEGIN.length
    const label = /^[A-Z0-9 .#/]{1,64}(?=-----)/.exec(
      bytes.toString('latin1', labelFrom, labelFrom + 70),
    )?.[0]
    const next = bytes.indexOf(BEGIN, labelFrom)
    const block = bytes.subarray(from, next < 0 ? bytes.length : next)
    const end = label === undefined ? -1 : block.indexOf(`-----END ${label}-----`)
    if (end >= 0 && !label?.includes('KEY')) hash.update(block.subarray(0, end))
    from = next
  }
  return hash.digest('hex')
}
