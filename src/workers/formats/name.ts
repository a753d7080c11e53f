import { isUtf8 } from 'node:buffer'

import { childrenOf, contentOf, type DerNode, oidOf } from './der.js'
import { CONSTRUCTED, OBJECT_IDENTIFIER, SEQUENCE, SET, UTF8_STRING } from './der-tags.js'

/*
 * Distinguished names in OpenSSL's canonical form, in which X509_NAME_cmp compares them (x509_name_canon in
 * crypto/x509/x_name.c). OpenSSL uses it to match a certificate with its issuer and a revocation list with its CA, so
 * two encodings of one name are equal: PrintableString "Example CA" and UTF8String "example  CA".
 */

/**
 * The canonical form of a Name as text. OpenSSL considers two names equal exactly when these texts are equal.
 *
 * - Texts become UTF-8 with ASCII letters in lower case, white space trimmed, and each inner run of white space
 *   replaced by one space. Values of other types (NumericString, BIT STRING) are unchanged.
 * - Attributes of one RDN are sorted by their encoding, as in every DER SET OF. An empty RDN is ignored.
 *
 * @throws RangeError for a name that OpenSSL refuses (a text that is invalid in its encoding) and for BER that is not
 *   DER where the difference matters (a constructed string).
 */
export function canonicalName(der: Uint8Array, name: DerNode): string {
  let canonical = ''
  for (const rdn of childrenOf(der, name)) {
    if (rdn.tag !== SET) throw new RangeError('not a relative distinguished name')
    const attributes = childrenOf(der, rdn).map((attribute) => canonicalAttribute(der, attribute))
    if (attributes.length > 0) canonical += lengthPrefixed(attributes.sort().join(''))
  }
  return canonical
}

/**
 * A Name for messages, on one line and close to Node's format for certificates: `C=US, O=Example, CN=Example CA`.
 * Attributes without a short name are shown by object identifier.
 *
 * @throws RangeError as {@link canonicalName}
 */
export function printedName(der: Uint8Array, name: DerNode): string {
  const attributes = childrenOf(der, name).flatMap((rdn) => childrenOf(der, rdn))
  return attributes.map((attribute) => printedAttribute(der, attribute)).join(', ')
}

/**
 * The values of the common names in a Name, as text.
 *
 * @throws RangeError as {@link canonicalName}, and for a value that is no text.
 */
export function commonNamesIn(der: Uint8Array, name: DerNode): string[] {
  const attributes = childrenOf(der, name).flatMap((rdn) => childrenOf(der, rdn))
  return attributes.flatMap((attribute) => {
    const [type, value] = childrenOf(der, attribute)
    if (!type || !value) throw new RangeError('not an attribute of a name')
    if (printedOid(der, type) !== COMMON_NAME) return []
    const decode = DECODERS[value.tag]
    if (!decode) throw new RangeError('a common name is no text')
    return [decode(contentOf(der, value)).toString()]
  })
}

const COMMON_NAME = '2.5.4.3'

function printedAttribute(der: Uint8Array, attribute: DerNode): string {
  const [type, value] = childrenOf(der, attribute)
  if (!type || !value) throw new RangeError('not an attribute of a name')
  const oid = printedOid(der, type)
  const content = contentOf(der, value)
  return `${SHORT_NAMES[oid] ?? oid}=${(DECODERS[value.tag]?.(content) ?? content).toString()}`
}

/** Name comparison, unlike {@link oidOf}, accepts identifiers of any length. */
function printedOid(der: Uint8Array, type: DerNode): string {
  try {
    return oidOf(der, type)
  } catch {
    return 'unknown attribute'
  }
}

/** RFC 4514, section 3, and the e-mail address of RFC 2985. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
}

/** AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY } (RFC 5280, section 4.1.2.4). */
function canonicalAttribute(der: Uint8Array, attribute: DerNode): string {
  const [type, value, ...more] = childrenOf(der, attribute)
  if (attribute.tag !== SEQUENCE || type?.tag !== OBJECT_IDENTIFIER || !value || more.length > 0) {
    throw new RangeError('not an attribute of a name')
  }
  return lengthPrefixed(contentOf(der, type).toString('latin1')) + lengthPrefixed(canonicalValue(der, value))
}

/** Length-prefixed, so that the concatenation is unambiguous. */
function lengthPrefixed(text: string): string {
  return `${text.length}:${text}`
}

function canonicalValue(der: Uint8Array, value: DerNode): string {
  const content = contentOf(der, value)
  const decode = DECODERS[value.tag]
  if (decode) return `${UTF8_STRING} ${normalSpace(decode(content))}`
  // DER forbids constructed strings, a BER form of the same text (X.690, section 10.2).
  if (value.tag & CONSTRUCTED && value.tag !== SEQUENCE)
    throw new RangeError('a constructed string in a name')
  return `${value.tag} ${content.toString('latin1')}`
}

/** Decoders to UTF-8 by tag. OpenSSL treats the one-byte types, including T61String, as Latin-1 (ASN1_STRING_to_UTF8). */
const DECODERS: Readonly<Record<number, (content: Buffer) => Buffer>> = {
  [UTF8_STRING]: valid,
  // PrintableString, T61String, IA5String, VisibleString
  19: latin1,
  20: latin1,
  22: latin1,
  26: latin1,
  // UniversalString, BMPString
  28: (content) => fromUnits(content, 4),
  30: (content) => fromUnits(content, 2),
}

function valid(content: Buffer): Buffer {
  if (!isUtf8(content)) throw new RangeError('a text in a name is not UTF-8')
  return content
}

function latin1(content: Buffer): Buffer {
  return Buffer.from(content.toString('latin1'), 'utf8')
}

function fromUnits(content: Buffer, bytes: 2 | 4): Buffer {
  let text = ''
  for (let at = 0; at < content.length; at += bytes) {
    if (at + bytes > content.length) throw new RangeError('a text in a name is truncated')
    const point = content.readUIntBE(at, bytes)
    // Neither type has surrogate pairs (X.690, section 8.23.9).
    if (point >= 0xd800 && point <= 0xdfff) throw new RangeError('a text in a name contains a surrogate')
    text += String.fromCodePoint(point)
  }
  return Buffer.from(text, 'utf8')
}

/** Works on bytes, like OpenSSL: only ASCII white space and letters count. */
function normalSpace(utf8: Buffer): string {
  const folded = utf8.toString('latin1').replace(/[\t-\r ]+/g, ' ')
  return folded.replace(/^ | $/g, '').replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
