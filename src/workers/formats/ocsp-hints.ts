import { shellWord } from '../base/shell-word.js'
import { derKind, isOcspResponse, looksLikeDer } from './der-kind.js'

/**
 * The kind of a file that is not an OCSP response in DER, worded to follow the file's name, with a conversion command
 * if one exists; `null` if it may be a response. Tests run the commands.
 */
export function whyNotOcsp(bytes: Uint8Array, path: string): string | null {
  if (looksLikeDer(bytes)) {
    const kind = isOcspResponse(bytes) ? null : derKind(bytes)
    return kind === null ? null : `is none, but ${NOUNS[kind]} in DER`
  }
  const text = Buffer.from(bytes.subarray(0, MAX_LOOKED_AT)).toString('latin1').trimStart()
  const [from, to] = [shellWord(path), shellWord(`${path}.der`)]
  if (text.startsWith('-----BEGIN OCSP RESPONSE-----')) {
    return `is PEM, not DER; convert it with: sed '/^-----/d' ${from} | base64 -d > ${to}`
  }
  const [, label] = /^-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text) ?? []
  if (label !== undefined) return `is none, but PEM of another kind (${label})`
  // Every response starts with 0x30 and a length: "MI" in base64.
  return /^MI[A-Za-z0-9+/\s]{60,}/.test(text)
    ? `is base64 text, not DER; convert it with: base64 -d ${from} > ${to}`
    : null
}

const MAX_LOOKED_AT = 256

const NOUNS = {
  certificate: 'a certificate',
  'certificate request': 'a certificate request',
  'private key': 'a private key',
  'public key': 'a public key',
  'revocation list': 'a revocation list',
  'OCSP response': 'an OCSP response',
  'DH parameters': 'DH parameters',
  'PKCS#7': 'PKCS#7',
  'PKCS#12': 'PKCS#12',
} as const
