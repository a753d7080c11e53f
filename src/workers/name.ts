import { isUtf8 } from 'node:buffer'

import { childrenOf, type DerNode } from './der.js'

/*
 * Distinguished names in OpenSSL's canonical form: the form in which X509_NAME_cmp compares them (x509_name_canon in
 * crypto/x509/x_name.c). OpenSSL matches a certificate with its issuer, and a revocation list with its CA, by this
 * form, so two encodings of one name are the same name: PrintableString "Example CA" and UTF8String "example  CA".
 */

/**
 * The canonical form of a Name in base64. Two names are equal for OpenSSL exactly when these texts are equal.
 *
 * - Texts become UTF-8 with ASCII letters in lower case, without white space at the ends, and with one space for each
 *   run of white space inside. Values of other types (NumericString, BIT STRING) stay as they are.
 * - Attributes of one RDN are sorted by their encoding, as in every DER SET OF. An empty RDN does not count.
 *
 * @throws RangeError for a name that OpenSSL refuses (a text that is invalid in its encoding), and for one that is BER
 *   and not DER where that would matter (a constructed string).
 */
export function canonicalName(der: Uint8Array, name: DerNode): string {
  const rdns = childrenOf(der, name).map((rdn) => {
    if (rdn.tag !== SET) throw new RangeError('not a relative distinguished name')
    return childrenOf(der, rdn).map((attribute) => canonicalAttribute(der, attribute))
  })
  const sets = rdns.filter((attributes) => attributes.length > 0)
  return Buffer.concat(sets.map((attributes) => element(SET, attributes.sort(Buffer.compare)))).toString(
    'base64',
  )
}

const UTF8_STRING = 0x0c
const OBJECT_IDENTIFIER = 0x06
const SEQUENCE = 0x30
const SET = 0x31
const CONSTRUCTED = 0x20

/** AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY } (RFC 5280, section 4.1.2.4). */
function canonicalAttribute(der: Uint8Array, attribute: DerNode): Buffer {
  const [type, value, ...more] = childrenOf(der, attribute)
  if (attribute.tag !== SEQUENCE || type?.tag !== OBJECT_IDENTIFIER || !value || more.length > 0) {
    throw new RangeError('not an attribute of a name')
  }
  return element(SEQUENCE, [element(OBJECT_IDENTIFIER, [contentOf(der, type)]), canonicalValue(der, value)])
}

function canonicalValue(der: Uint8Array, value: DerNode): Buffer {
  const content = contentOf(der, value)
  const decode = DECODERS[value.tag]
  if (decode) return element(UTF8_STRING, [normalSpace(decode(content))])
  // A constructed string is the same text in BER, which DER forbids (X.690, section 10.2).
  if (value.tag & CONSTRUCTED && value.tag !== SEQUENCE)
    throw new RangeError('a constructed string in a name')
  return element(value.tag, [content])
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
function normalSpace(utf8: Buffer): Buffer {
  const text = utf8.toString('latin1')
  const folded = text.replace(/[\t-\r ]+/g, ' ').replace(/^ | $/g, '')
  return Buffer.from(
    folded.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()),
    'latin1',
  )
}

function element(tag: number, contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  // Lengths all take five bytes: the form is only compared with its like.
  return Buffer.concat([Buffer.from([tag, 0x84]), length, content])
}

function contentOf(der: Uint8Array, { from, to }: DerNode): Buffer {
  return Buffer.from(der.buffer, der.byteOffset + from, to - from)
}
