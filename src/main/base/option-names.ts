import { isIP } from 'node:net'

import {
  asciiDomain,
  type CertificateName,
  isAscii,
  nameText,
  parseName,
} from '../../workers/formats/certificate-name.js'

/*
 * Names in options. Certificates and clients use ASCII domain names, so a Unicode name is converted to A-labels. A trailing dot
 * of a host name is removed, because clients send none (RFC 6066, section 3).
 */

/** A normalized name, or the description of the expected value. */
export type OptionName = { readonly name: string } | { readonly expected: string }

const LONGEST = 253
const DOMAIN = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/

/** The name of an SNI host: a DNS name, or `*.` and a DNS name. */
export function hostNameIn(text: string): OptionName {
  const name = domainIn(text)
  const bare = name?.replace(/^\*\./, '') ?? text
  if (isIP(bare.replace(/^\[(.*)\]$/, '$1'))) {
    return {
      expected:
        'expected a DNS name: clients never send an IP address as server name (RFC 6066, section 3); ' +
        'serve it as the default certificate',
    }
  }
  if (name === null || !DOMAIN.test(bare) || name.length > LONGEST) {
    return { expected: 'expected a DNS name, or `*.` and a DNS name' }
  }
  return { name }
}

/** A name of `policy.requiredNames`: a DNS name, an IP address, a URI, an e-mail address, or any text of a certificate's name. */
export function requiredNameIn(text: string): OptionName {
  if (HOST_AND_PORT.test(text)) return { expected: 'expected a name without a port' }
  // Unchanged, because messages show it.
  if (isAscii(text)) return { name: text }
  const name = parseName(text)
  const value = valueIn(name)
  if (value === null)
    return { expected: `expected a ${name.kind === 'email' ? 'e-mail address' : 'DNS name'}` }
  return { name: nameText({ kind: name.kind, value }) }
}

/** A pattern of `policy.nameClaims`. A pattern with a slash is a path. */
export function claimPatternIn(text: string): OptionName {
  if (text.includes('/')) return { name: text }
  const name = asciiDomain(text)
  return name === null ? { expected: 'expected a DNS name, or a pattern of one' } : { name }
}

/** A server name as clients send it. For look-ups by the application, not for names in handshakes. */
export function serverNameIn(text: string): string {
  return domainIn(text) ?? text
}

const HOST_AND_PORT = /^[^/@:]*:\d{1,5}$/

function valueIn({ kind, value }: CertificateName): string | null {
  if (kind === 'DNS') return asciiDomain(value)
  if (kind !== 'email') return value
  const at = value.lastIndexOf('@') + 1
  const domain = asciiDomain(value.slice(at))
  return domain === null ? null : value.slice(0, at) + domain
}

function domainIn(text: string): string | null {
  return asciiDomain(text)?.replace(/\.$/, '') ?? null
}
