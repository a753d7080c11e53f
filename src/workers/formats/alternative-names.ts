import type { X509Certificate } from 'node:crypto'

import { type CertificateName, nameText } from './certificate-name.js'
import { assertDer, childrenOf, contentOf, type DerNode, expectTag, nodeAt, oidOf } from './der.js'
import { CONTEXT_0, SEQUENCE, UTF8_STRING } from './der-tags.js'
import { printedName } from './name.js'
import { extensionsOf } from './x509.js'

/** The names of a certificate, in the order of its extension. */
export interface AlternativeNames {
  readonly names: readonly CertificateName[]
  /** See {@link nameText}. */
  readonly texts: readonly string[]
}

const SUBJECT_ALT_NAME = '2.5.29.17'
const NONE: AlternativeNames = { names: [], texts: [] }

/** A certificate may hold thousands of names, and several checks read them. */
const known = new WeakMap<X509Certificate, AlternativeNames>()

/**
 * The names in a certificate's subjectAltName extension (RFC 5280, section 4.2.1.6), read from its DER: in Node's text
 * form, one name can contain text that looks like another name.
 *
 * @throws RangeError if the extension is malformed or duplicated. OpenSSL refuses such a certificate.
 */
export function alternativeNamesOf(certificate: X509Certificate): AlternativeNames {
  const before = known.get(certificate)
  if (before) return before
  const names = certificate.subjectAltName === undefined ? NONE : readNames(certificate.raw)
  known.set(certificate, names)
  return names
}

function readNames(der: Uint8Array): AlternativeNames {
  const names = alternativeNamesIn(der)
  return { names, texts: names.map(nameText) }
}

/** {@link alternativeNamesOf} for the DER of a certificate, which is not parsed otherwise. @throws RangeError */
export function alternativeNamesIn(der: Uint8Array): CertificateName[] {
  const [extension, another] = extensionsOf(der).filter(({ oid }) => oid === SUBJECT_ALT_NAME)
  if (another) throw new RangeError('the extension is duplicated')
  if (!extension) return []
  const value = contentOf(der, extension.value)
  const list = expectTag(value, assertDer(value), SEQUENCE)
  return childrenOf(value, list).map((name) => nameIn(value, name))
}

/** Tags of a GeneralName. */
const TAGS = {
  otherName: 0xa0,
  email: 0x81,
  dns: 0x82,
  x400Address: 0xa3,
  directory: 0xa4,
  ediPartyName: 0xa5,
  uri: 0x86,
  address: 0x87,
  registeredId: 0x88,
} as const

function nameIn(der: Uint8Array, name: DerNode): CertificateName {
  const content = contentOf(der, name)
  switch (name.tag) {
    case TAGS.dns:
      return { kind: 'DNS', value: content.toString('latin1').toLowerCase() }
    case TAGS.uri:
      return { kind: 'URI', value: content.toString('latin1') }
    case TAGS.email:
      return { kind: 'email', value: content.toString('latin1') }
    case TAGS.address:
      return { kind: 'IP', value: addressText(content) }
    case TAGS.otherName:
      return otherName(der, name)
    case TAGS.directory:
      return { kind: 'other', value: `dirName:${directoryText(der, name)}` }
    case TAGS.registeredId:
      return { kind: 'other', value: `RID:${oidOf(der, { ...name, tag: 6 })}` }
    case TAGS.x400Address:
      return { kind: 'other', value: `x400Address:${content.toString('hex')}` }
    case TAGS.ediPartyName:
      return { kind: 'other', value: `ediPartyName:${content.toString('hex')}` }
    default:
      throw new RangeError('not a GeneralName')
  }
}

/** In lower case, as Node prints addresses; in hexadecimal if the length is neither that of IPv4 nor IPv6. */
function addressText(content: Buffer): string {
  if (content.length === 4) return content.join('.')
  if (content.length !== 16) return content.toString('hex')
  return Array.from({ length: 8 }, (_, i) => content.readUInt16BE(i * 2).toString(16)).join(':')
}

/** A non-ASCII e-mail address (RFC 9598). */
const SMTP_UTF8_MAILBOX = '1.3.6.1.5.5.7.8.9'
/** PrintableString, IA5String. */
const ASCII_STRINGS: readonly number[] = [0x13, 0x16]

/** OtherName ::= SEQUENCE { type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY }, for example a user principal name. */
function otherName(der: Uint8Array, name: DerNode): CertificateName {
  const [type, wrapped] = childrenOf(der, name)
  const value = nodeAt(der, expectTag(der, wrapped, CONTEXT_0).from)
  const oid = oidOf(der, type as DerNode)
  const content = contentOf(der, value)
  const isText = value.tag === UTF8_STRING || ASCII_STRINGS.includes(value.tag)
  const text = isText ? content.toString('utf8') : content.toString('hex')
  if (oid === SMTP_UTF8_MAILBOX) return { kind: 'email', value: text }
  return { kind: 'other', value: `otherName:${oid}:${text}` }
}

function directoryText(der: Uint8Array, name: DerNode): string {
  const [directory] = childrenOf(der, name)
  return printedName(der, expectTag(der, directory, SEQUENCE))
}
