import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

import { printableJson } from '../base/printable.js'

/*
 * Text form of certificate names. Certificates hold names of several kinds (RFC 5280, section 4.2.1.6), and the text
 * shows the kind: `a.example`, `192.0.2.1`, `spiffe://a.example/b`, `user@a.example`. A name that looks like another
 * kind, or is not printable, is quoted and prefixed with its kind: `DNS:"spiffe://a.example/b"`.
 */

/** `other`: a directory name, a registered identifier, or an otherName of a type given by an object identifier. */
export type NameKind = 'DNS' | 'IP' | 'URI' | 'email' | 'other'

export interface CertificateName {
  readonly kind: NameKind
  /** As in the certificate; DNS names in lower case. Addresses in Node's format, in lower case. */
  readonly value: string
}

/** The text of a name. {@link parseName} is the inverse. */
export function nameText({ kind, value }: CertificateName): string {
  const parsed = parseName(value)
  const isPlain = value !== '' && parsed.kind === kind && parsed.value === value && isPrintable(value)
  return isPlain ? value : `${kind}:${printableJson(value)}`
}

/** Parses the text of a name from a certificate, `policy.requiredNames` or a host. */
export function parseName(text: string): CertificateName {
  const quoted = QUOTED.exec(text)
  const value = quoted && jsonText(quoted[2] as string)
  if (quoted && value !== null) return { kind: quoted[1] as NameKind, value }
  if (isIP(text)) return { kind: 'IP', value: text.toLowerCase() }
  if (OTHER.test(text)) return { kind: 'other', value: text }
  if (SCHEME.test(text)) return { kind: 'URI', value: text }
  if (text.includes('@')) return { kind: 'email', value: text }
  return { kind: 'DNS', value: text.toLowerCase() }
}

/** Whether a text is a DNS name that a client can send, and does not look like another kind of name. */
export function isDnsName(text: string): boolean {
  const { kind, value } = parseName(text)
  return kind === 'DNS' && value === text.toLowerCase()
}

/** Normalized text for comparing names of one kind. */
export function comparableName({ kind, value }: CertificateName): string {
  if (kind === 'IP') return normalAddress(value)
  if (kind === 'email') {
    const at = value.lastIndexOf('@') + 1
    return value.slice(0, at) + (asciiDomain(value.slice(at)) ?? value.slice(at))
  }
  // Only scheme and host are case-insensitive (RFC 5280, section 7.4).
  return kind === 'URI' ? value.replace(SCHEME_AND_HOST, (front) => front.toLowerCase()) : value
}

/**
 * A domain name as used in certificates and by clients: lower case, with non-ASCII labels as A-labels (RFC 5890;
 * `url.domainToASCII`). `*` is kept.
 *
 * @returns `null` if the text is not a domain name.
 */
export function asciiDomain(name: string): string | null {
  if (isAscii(name)) return name.toLowerCase()
  // `domainToASCII` is made for URLs: it decodes percent-encoding and stops at a slash.
  const ascii = NOT_IN_NAMES.test(name) ? '' : domainToASCII(name)
  return ascii === '' || NOT_IN_NAMES.test(ascii) ? null : ascii
}

export function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII characters
  return /^[\u0000-\u007f]*$/.test(text)
}

/** ASCII characters that are not allowed in domain names; `_` occurs in service names, `*` in wildcards. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern matches them on purpose
const NOT_IN_NAMES = /[\u0000-\u0029+,/:-@[-^`{-\u007f]/

const QUOTED = /^(DNS|IP|URI|email|other):(".*")$/s
/** Prefixes of the kinds of `other`. */
const OTHER = /^(?:dirName|RID|otherName|x400Address|ediPartyName):/
const SCHEME = /^[a-z][a-z0-9+.-]*:/i
const SCHEME_AND_HOST = /^[a-z][a-z0-9+.-]*:(?:\/\/[^/?#]*)?/i

/** Printable ASCII: every plain-text name type is an IA5String. */
function isPrintable(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}

function jsonText(json: string): string | null {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}

/** Canonical address: Node prints IPv6 addresses of certificates with all zeros. */
function normalAddress(address: string): string {
  return isIP(address) === 6 && !address.includes('%') ? new URL(`http://[${address}]`).hostname : address
}
