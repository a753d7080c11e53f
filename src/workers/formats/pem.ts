import { ProblemError } from '../base/problem.js'
import { looksLikeDer } from './der-kind.js'
import { whyDerIsNotPem, whyNotText } from './format-hints.js'
import { INVISIBLE, whyNotOnlyText } from './pem-between.js'

/** One `-----BEGIN X-----` to `-----END X-----`. */
export interface PemBlock {
  readonly label: string
  /** The whole block, normalized: no indentation, `\n` line ends. */
  readonly pem: string
}

/**
 * OpenVPN's label is the only one in use with lower-case letters. Others are refused, so that a damaged label does not
 * hide a block.
 */
const HEADER = `${INVISIBLE}-----BEGIN (OpenVPN Static key V1|[A-Z0-9][A-Z0-9.#/ ]*)-----`
const BEGIN = new RegExp(`[\\r\\n]${HEADER}`, 'g')
/** At the start of the text, and directly after an END line without a line end (joined files). */
const BEGIN_HERE = new RegExp(HEADER, 'y')
/** Labels that messages may name (RFC 7468 and OpenSSL); no other label is copied from the file. */
const LABELS = new Set([
  'CERTIFICATE',
  'X509 CERTIFICATE',
  'TRUSTED CERTIFICATE',
  'CERTIFICATE REQUEST',
  'NEW CERTIFICATE REQUEST',
  'X509 CRL',
  'PRIVATE KEY',
  'ENCRYPTED PRIVATE KEY',
  'RSA PRIVATE KEY',
  'EC PRIVATE KEY',
  'DSA PRIVATE KEY',
  'OPENSSH PRIVATE KEY',
  'PUBLIC KEY',
  'RSA PUBLIC KEY',
  'DH PARAMETERS',
  'X9.42 DH PARAMETERS',
  'EC PARAMETERS',
  'PKCS7',
  'PKCS #7 SIGNED DATA',
  'CMS',
])
const HEADER_LINE = /^[A-Za-z0-9-]+:/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
/** A body in the usual format, with 64 characters per line. */
const CLEAN =
  /^\n(?:[A-Za-z0-9+/]{64}\n)*(?:[A-Za-z0-9+/]{4}){0,15}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)\n$/
/** V8 keeps a backtracking position per line and fails beyond some megabytes, which revocation lists can reach. */
const SHORT = 65_536

/**
 * Every PEM block of a file, in order. A block begins at the start of a line, possibly indented; anything else is text,
 * such as a commented-out block. Text around blocks, CRLF, a UTF-8 BOM before a block and white space in base64 are
 * allowed. Every block must end and be valid base64, so that half a bundle is never taken for all of it (OpenSSL stops
 * silently at the first bad block).
 *
 * @throws ProblemError `PEM_INVALID`; for DER, UTF-16 and UTF-32 it says how to convert the file.
 */
export function splitPem(bytes: Uint8Array, path: string): PemBlock[] {
  assertText(bytes, path)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const blocks: PemBlock[] = []
  let from = 0
  for (;;) {
    const begin = beginFrom(text, from)
    const isWholeFile = !begin && blocks.length === 0
    const why = whyNotOnlyText(text.slice(from, begin?.index), blocks.length, isWholeFile)
    if (why !== null) throw invalid(path, `${path} ${why}`)
    if (!begin) return blocks
    const label = begin[1] as string
    const bodyFrom = begin.index + begin[0].length
    const end = `-----END ${label}-----`
    const endAt = text.indexOf(end, bodyFrom)
    const nth = `block ${blocks.length + 1} (${kindOfBlock(label)})`
    if (endAt < 0 || text.slice(bodyFrom, endAt).includes('-----BEGIN')) {
      throw invalid(
        path,
        `${nth} in ${path} begins but never ends; the file is truncated or still being written`,
      )
    }
    blocks.push({ label, pem: cleanBlock(label, text.slice(bodyFrom, endAt), nth, path) })
    from = endAt + end.length
  }
}

function beginFrom(text: string, from: number): RegExpExecArray | null {
  BEGIN_HERE.lastIndex = from
  const here = BEGIN_HERE.exec(text)
  if (here) return here
  BEGIN.lastIndex = from
  return BEGIN.exec(text)
}

/** The label of a block, safe for messages. */
export function kindOfBlock(label: string): string {
  return LABELS.has(label) ? label : 'of an unknown kind'
}

/** Base64 with a label, 64 characters per line (RFC 7468, section 2). */
export function toPem(label: string, der: Uint8Array): string {
  return armour(label, Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64'))
}

/** The content of a normalized block. The END line must be cut off: most of its letters are valid base64. */
export function derOf(pem: string): Buffer {
  return Buffer.from(pem.slice(pem.indexOf('\n'), pem.indexOf('\n-----END ')), 'base64')
}

function armour(label: string, base64: string): string {
  return `-----BEGIN ${label}-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`
}

function cleanBlock(label: string, body: string, nth: string, path: string): string {
  if (body.length < SHORT && CLEAN.test(body))
    return `-----BEGIN ${label}-----${body}-----END ${label}-----\n`
  // OpenSSL ignores blanks and tabs in base64 (`EVP_DecodeUpdate`), and at line ends all lower control characters.
  const lines = body.split(/\r\n|\r|\n/).map((line) => line.trim())
  // Traditional encrypted keys have headers (RFC 1421), which are kept.
  const headers = lines.filter((line) => HEADER_LINE.test(line))
  const base64 = lines
    .filter((line) => !HEADER_LINE.test(line))
    .join('')
    .replaceAll(/[ \t]+/g, '')
  if (!BASE64.test(base64) || base64.length % 4 !== 0) {
    throw invalid(path, `${nth} in ${path} is not base64; the file is damaged or still being written`)
  }
  if (headers.length === 0) return armour(label, base64)
  return armour(label, base64).replace('-----\n', (line) => `${line}${headers.join('\n')}\n\n`)
}

function assertText(bytes: Uint8Array, path: string): void {
  const why = whyNotText(bytes, path) ?? (looksLikeDer(bytes) ? whyDerIsNotPem(bytes, path) : null)
  if (why !== null) throw invalid(path, `${path} ${why}`)
}

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('PEM_INVALID', message, path)
}
