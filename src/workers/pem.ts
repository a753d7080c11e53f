import { derKind, looksLikeDer } from './der-kind.js'
import { ProblemError } from './problem.js'

/** One `-----BEGIN X-----` to `-----END X-----`. */
export interface PemBlock {
  readonly label: string
  /** The whole block, clean: no indentation, `\n` line ends. */
  readonly pem: string
}

const BEGIN = /-----BEGIN ([A-Z0-9][A-Z0-9 ]*)-----/g
/** Labels that are told by name (RFC 7468 and OpenSSL's own); of any other, no byte of the file is repeated. */
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
  'EC PARAMETERS',
  'PKCS7',
  'CMS',
])
const HEADER_LINE = /^[A-Za-z0-9-]+:/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
/** A body as nearly every program writes it, with 64 characters to a line. */
const CLEAN =
  /^\n(?:[A-Za-z0-9+/]{64}\n)*(?:[A-Za-z0-9+/]{4}){0,15}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)\n$/
/** V8 keeps a place to come back to for each line, and gives up beyond some megabytes; revocation lists can be that long. */
const SHORT = 65_536

/**
 * Every PEM block of a file, in order. Text before, between and after the blocks is allowed, as are CRLF, a UTF-8
 * BOM and indentation; every block that begins must end and must be base64, so that no half of a bundle is taken for
 * the whole of it (OpenSSL stops silently at the first bad block).
 *
 * @throws ProblemError `PEM_INVALID`, which for DER and UTF-16 says how to convert the file.
 */
export function splitPem(bytes: Uint8Array, path: string): PemBlock[] {
  assertText(bytes, path)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const blocks: PemBlock[] = []
  let from = 0
  for (;;) {
    BEGIN.lastIndex = from
    const begin = BEGIN.exec(text)
    assertNoStrayEnd(text.slice(from, begin?.index), path, blocks.length)
    if (!begin) break
    const label = begin[1] as string
    const bodyFrom = begin.index + begin[0].length
    const end = `-----END ${label}-----`
    const endAt = text.indexOf(end, bodyFrom)
    const nth = `block ${blocks.length + 1} (${kindOfBlock(label)})`
    if (endAt < 0 || text.slice(bodyFrom, endAt).includes('-----BEGIN')) {
      throw invalid(
        path,
        `${nth} in ${path} begins but never ends; the file is cut off or still being written`,
      )
    }
    blocks.push({ label, pem: cleanBlock(label, text.slice(bodyFrom, endAt), nth, path) })
    from = endAt + end.length
  }
  if (text.includes('-----BEGIN') && blocks.length !== text.split('-----BEGIN').length - 1) {
    throw invalid(path, `${path} holds a "-----BEGIN" line that is not a PEM header`)
  }
  return blocks
}

/** The label of a block as it may be told to others. */
export function kindOfBlock(label: string): string {
  return LABELS.has(label) ? label : 'of an unknown kind'
}

/** Base64 under a label, at 64 characters a line (RFC 7468, section 2). */
export function toPem(label: string, der: Uint8Array): string {
  return armour(label, Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64'))
}

/** The bytes of a clean block. Its last line must stay out: most of its letters are base64 too. */
export function derOf(pem: string): Buffer {
  return Buffer.from(pem.slice(pem.indexOf('\n'), pem.indexOf('\n-----END ')), 'base64')
}

function armour(label: string, base64: string): string {
  return `-----BEGIN ${label}-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`
}

function cleanBlock(label: string, body: string, nth: string, path: string): string {
  if (body.length < SHORT && CLEAN.test(body))
    return `-----BEGIN ${label}-----${body}-----END ${label}-----\n`
  const lines = body.split(/\r\n|\r|\n/).map((line) => line.trim())
  // Headers (RFC 1421) stand in traditional encrypted keys, which keep them.
  const headers = lines.filter((line) => HEADER_LINE.test(line))
  const base64 = lines.filter((line) => !HEADER_LINE.test(line)).join('')
  if (!BASE64.test(base64) || base64.length % 4 !== 0) {
    throw invalid(path, `${nth} in ${path} is not base64; the file is damaged or still being written`)
  }
  if (headers.length === 0) return armour(label, base64)
  return armour(label, base64).replace('-----\n', (line) => `${line}${headers.join('\n')}\n\n`)
}

function assertNoStrayEnd(between: string, path: string, blocksBefore: number): void {
  if (!between.includes('-----END ')) return
  throw invalid(
    path,
    `${path} holds an END line without its BEGIN after block ${blocksBefore}; its beginning is lost`,
  )
}

function assertText(bytes: Uint8Array, path: string): void {
  if (isUtf16(bytes)) throw invalid(path, `${path} is UTF-16 text; save it as UTF-8`)
  if (looksLikeDer(bytes)) {
    throw invalid(path, `${path} is DER, not PEM; convert it with: ${conversionOf(bytes, path)}`)
  }
}

/** By its byte order mark, or by its first dash. */
function isUtf16(bytes: Uint8Array): boolean {
  const mark = Buffer.from(bytes.subarray(0, 2)).toString('hex')
  return mark === 'fffe' || mark === 'feff' || mark === '2d00' || mark === '002d'
}

function conversionOf(bytes: Uint8Array, path: string): string {
  switch (derKind(bytes)) {
    case 'PKCS#12':
      return `openssl pkcs12 -in ${path} -nodes (or use the option "pfx")`
    case 'private key':
      return `openssl pkey -inform der -in ${path} -out ${path}.pem`
    case 'revocation list':
      return `openssl crl -inform der -in ${path} -out ${path}.pem`
    default:
      return `openssl x509 -inform der -in ${path} -out ${path}.pem`
  }
}

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('PEM_INVALID', message, path)
}
