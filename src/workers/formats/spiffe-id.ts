import { X509Certificate } from 'node:crypto'

import { alternativeNamesOf } from './alternative-names.js'

/** A valid SPIFFE ID. */
export interface SpiffeId {
  /** As written: `spiffe://`, the trust domain and the path. */
  readonly text: string
  readonly trustDomain: string
}

/** Limits of the SPIFFE ID specification, section 2.3, in bytes. */
const MAX_BYTES = 2048
const MAX_DOMAIN_BYTES = 255

const ID = /^spiffe:\/\/([a-z0-9._-]+)((?:\/[A-Za-z0-9._-]+)*)$/
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/

/** Reads a SPIFFE ID (SPIFFE ID specification, section 2); `null` if the text is not one. Nothing is normalized. */
export function spiffeIdIn(text: string): SpiffeId | null {
  if (text.length > MAX_BYTES) return null
  const [, trustDomain = '', path = ''] = ID.exec(text) ?? []
  if (trustDomain === '' || trustDomain.length > MAX_DOMAIN_BYTES || DOT_SEGMENT.test(path)) return null
  return { text, trustDomain }
}

/** The name of a trust domain: the name alone, or its SPIFFE ID without a path; `null` if the text is neither. */
export function trustDomainIn(text: string): string | null {
  const id = spiffeIdIn(text.startsWith('spiffe://') ? text : `spiffe://${text}`)
  return id !== null && id.text === `spiffe://${id.trustDomain}` ? id.trustDomain : null
}

/**
 * The SPIFFE ID of a certificate: its only URI name (X509-SVID specification, section 2). `null` if it has none or several, or
 * if the certificate cannot be read.
 */
export function spiffeIdOf(certificate: Uint8Array | X509Certificate): SpiffeId | null {
  try {
    const parsed = certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate)
    const [uri, another] = alternativeNamesOf(parsed).names.filter(({ kind }) => kind === 'URI')
    return uri && !another ? spiffeIdIn(uri.value) : null
  } catch {
    return null
  }
}
