import { isUtf8 } from 'node:buffer'

import { childrenOf, contentOf, type DerNode, oidOf } from './der.js'
import { CONSTRUCTED, OBJECT_IDENTIFIER, SEQUENCE, SET, UTF8_STRING } from './der-tags.js'

/*
 * Distinguished names in OpenSSL's canonical form: the form in which X509_NAME_cmp compares them (x509_name_canon in
 * crypto/x509/x_name.c). OpenSSL matches a certificate with its issuer, and a revocation list with its CA, by this
 * form, so two encodings of one name are the same name: PrintableString "Example CA" and UTF8String "example  CA".
 */

/**
 * The canonical form of a Name as text. Two names are equal for OpenSSL exactly when these texts are equal.
 *
 * - Texts become UTF-8 with ASCII letters in lower case, without white space at the ends, and with one space for each
 *   run of white space inside. Values of other types (NumericString, BIT STRING) stay as they are.
 * - Attributes of one RDN are sorted by their encoding, as in every DER SET OF. An empty RDN does not count.
 *
 * @throws RangeError for a name that OpenSSL refuses (a text that is invalid in its encoding), and for one that is BER
 *   and not DER where that would matter (a constructed string).
 */
export function canonicalName(der: Uint8Array, name: DerNode): string {
  let canonical = ''
  for (const rdn of childrenOf(der, name)) {
    if (rdn.tag !== SET) throw new RangeError('not a relative distinguished name')
    const attributes = childrenOf(der, rdn).map((attribute) => canonicalAttribute(der, attribute))
    if (attributes.length > 0) canonical += framed(attributes.sort().join(''))
  }
  return canonical
}

/**
 * A Name for people, on one line and close to what Node prints for a certificate: `C=US, O=Example, CN=Example CA`.
 * Attributes without a short name have their object identifier.
 *
 * @throws RangeError as {@link canonicalName}
 */
export function printedName(der: Uint8Array, name: DerNode): string {
  const attributes = childrenOf(der, name).flatMap((rdn) => childrenOf(der, rdn))
  return attributes.map((attribute) => printedAttribute(der, attribute)).join(', ')
}

function printedAttribute(der: Uint8Array, attribute: DerNode): string {
  const [type, value] = childrenOf(der, attribute)
  if (!type || !value) throw new RangeError('not an attribute of a name')
  const oid = printedOid(der, type)
  const content = contentOf(der, value)
  return `${SHORT_NAMES[oid] ?? oid}=${(DECODERS[value.tag]?.(content) ?? content).toString()}`
}

/** The comparison of names takes identifiers of any length. */
function printedOid(der: Uint8Array, type: DerNode): string {
  try {
    return oidOf(der, type)
  } catch {
    return 'unknown attribute'
  }
}

/** RFC 4514, section 3, and the address of RFC 2985. */
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
  return framed(contentOf(der, type).toString('latin1')) + framed(canonicalValue(der, value))
}

/** With its length before it, so that texts put together have one meaning. */
function framed(text: string): string {
  return `${text.length}:${text}`
}

function canonicalValue(der: Uint8Array, value: DerNode): string {
  const content = contentOf(der, value)
  const decode = DECODERS[value.tag]
  if (decode) return `${UTF8_STRING} ${normalSpace(decode(content))}`
  // A constructed string is the same text in BER, which DER forbids (X.690, section 10.2).
  if (value.tag & CONSTRUCTED && value.tag !== SEQUENCE)
    throw new RangeError('a constructed string in a name')
  return `${value.tag} ${content.toString('latin1')}`
}

/** To UTF-8, by tag. OpenSSL takes the one-byte types, T61String too, for Latin-1 (ASN1_STRING_to_UTF8). */
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
    if (at + bytes > content.length) throw new RangeError('a text in a name is cut off')
    const point = content.readUIntBE(at, bytes)
    // Neither type has surrogate pairs (X.690, section 8.23.9).
    if (point >= 0xd800 && point <= 0xdfff) throw new RangeError('a text in a name holds a surrogate')
    text += String.fromCodePoint(point)
  }
  return Buffer.from(text, 'utf8')
}

/** Byte by byte, as OpenSSL: white space and letters are those of ASCII. */
function normalSpace(utf8: Buffer): string {
  const folded = utf8.toString('latin1').replace(/[\t-\r ]+/g, ' ')
  return folded.replace(/^ | $/g, '').replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
