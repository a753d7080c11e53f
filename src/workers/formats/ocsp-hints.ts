import { shellWord } from '../base/shell-word.js'
import { derKind, isOcspResponse, looksLikeDer, nounOf } from './der-kind.js'
import { isBase64 } from './format-hints.js'

/**
 * The kind of a file that is not an OCSP response in DER, worded to follow the file's name, with a conversion command
 * if one exists; `null` if it may be a response. Tests run the commands.
 */
export function whyNotOcsp(bytes: Uint8Array, path: string): string | null {
  if (looksLikeDer(bytes)) {
    const kind = isOcspResponse(bytes) ? null : derKind(bytes)
    return kind === null ? null : `is not an OCSP response, but ${nounOf(kind)} in DER`
  }
  const text = Buffer.from(bytes.subarray(0, MAX_LOOKED_AT)).toString('latin1').trimStart()
  const [from, to] = [shellWord(path), shellWord(`${path}.der`)]
  if (text.startsWith('-----BEGIN OCSP RESPONSE-----')) {
    return `is PEM, not DER; convert it with: sed '/^-----/d' ${from} | base64 -d > ${to}`
  }
  const [, label] = /^-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text) ?? []
  if (label !== undefined) return `is not an OCSP response, but PEM of another kind (${label})`
  return isBase64(bytes) ? `is base64 text, not DER; convert it with: base64 -d ${from} > ${to}` : null
}

const MAX_LOOKED_AT = 256
