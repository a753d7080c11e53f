import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

import { printableJson } from '../base/printable.js'

/*
 * The names of a certificate, as one text each. Certificates hold names of several kinds (RFC 5280, section 4.2.1.6), and a
 * text shows its kind: `a.example`, `192.0.2.1`, `spiffe://a.example/b`, `user@a.example`. A name that would look like
 * another kind, or cannot be printed, is quoted with its kind in front: `DNS:"spiffe://a.example/b"`.
 */

/** `other`: a directory name, a registered identifier, or a name of a type that an object identifier defines. */
export type NameKind = 'DNS' | 'IP' | 'URI' | 'email' | 'other'

export interface CertificateName {
  readonly kind: NameKind
  /** As the certificate has it, DNS names in lower case. Addresses as Node prints them, in lower case. */
  readonly value: string
}

/** The text of a name. {@link parseName} gives the name back. */
export function nameText({ kind, value }: CertificateName): string {
  const parsed = parseName(value)
  const isPlain = value !== '' && parsed.kind === kind && parsed.value === value && isPrintable(value)
  return isPlain ? value : `${kind}:${printableJson(value)}`
}

/** The name that a text stands for: of a certificate, of `policy.requiredNames`, or of a host. */
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

/** Whether a text is a DNS name that a client can send; a text that looks like another kind of name is not. */
export function isDnsName(text: string): boolean {
  const { kind, value } = parseName(text)
  return kind === 'DNS' && value === text.toLowerCase()
}

/** How names of a kind are compared, as text. */
export function comparableName({ kind, value }: CertificateName): string {
  if (kind === 'IP') return normalAddress(value)
  if (kind === 'email') {
    const at = value.lastIndexOf('@') + 1
    return value.slice(0, at) + (asciiDomain(value.slice(at)) ?? value.slice(at))
  }
  // Scheme and host are compared without regard to case, the rest is not (RFC 5280, section 7.4).
  return kind === 'URI' ? value.replace(SCHEME_AND_HOST, (front) => front.toLowerCase()) : value
}

/**
 * A domain name as certificates and clients have it: lower case, and each label that is not ASCII as an A-label (RFC 5890;
 * `url.domainToASCII`). `*` stays what it is.
 *
 * @returns `null` for what is no domain name.
 */
export function asciiDomain(name: string): string | null {
  if (isAscii(name)) return name.toLowerCase()
  // It is made for URLs: it decodes what is percent-encoded, and ends at a slash.
  const ascii = NOT_IN_NAMES.test(name) ? '' : domainToASCII(name)
  return ascii === '' || NOT_IN_NAMES.test(ascii) ? null : ascii
}

export function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII characters
  return /^[\u0000-\u007f]*$/.test(text)
}

/** ASCII characters that no domain name has; `_` is in names of services, `*` in wildcards. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_IN_NAMES = /[\u0000-\u0029+,/:-@[-^`{-\u007f]/

const QUOTED = /^(DNS|IP|URI|email|other):(".*")$/s
/** What the kinds of `other` begin with. */
const OTHER = /^(?:dirName|RID|otherName|x400Address|ediPartyName):/
const SCHEME = /^[a-z][a-z0-9+.-]*:/i
const SCHEME_AND_HOST = /^[a-z][a-z0-9+.-]*:(?:\/\/[^/?#]*)?/i

/** Printable characters of ASCII: every type of name that is plain text is an IA5String. */
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

/** One text for each address: Node prints IPv6 addresses of certificates with all their zeros. */
function normalAddress(address: string): string {
  return isIP(address) === 6 && !address.includes('%') ? new URL(`http://[${address}]`).hostname : address
}
