import { shellWord } from '../base/shell-word.js'
import { type DerKind, derKind, nounOf } from './der-kind.js'

/*
 * Hints for files that are not PEM: the name of the format and the command that converts it. Tests run each command.
 * PEM of the wrong kind is handled in pem-hints.ts.
 */

/** Why a file is not PEM text, with a conversion command if one exists; `null` for text. */
export function whyNotText(bytes: Uint8Array, path: string): string | null {
  const encoding = wideEncodingOf(bytes)
  if (encoding === null) return null
  const [from, to] = [shellWord(path), shellWord(`${path}.new`)]
  return `is ${encoding.name} text; save it as UTF-8: iconv -f ${encoding.iconv} -t UTF-8 ${from} > ${to}`
}

interface WideEncoding {
  readonly name: 'UTF-16' | 'UTF-32'
  /** Name for `iconv`, which assumes UTF-16LE without a byte order mark. */
  readonly iconv: string
}

/** Detected by its byte order mark or first dash. */
function wideEncodingOf(bytes: Uint8Array): WideEncoding | null {
  const four = Buffer.from(bytes.subarray(0, 4)).toString('hex')
  const two = four.slice(0, 4)
  if (four === 'fffe0000' || four === '0000feff') return { name: 'UTF-32', iconv: 'UTF-32' }
  if (four === '2d000000') return { name: 'UTF-32', iconv: 'UTF-32LE' }
  if (four === '0000002d') return { name: 'UTF-32', iconv: 'UTF-32BE' }
  if (two === 'fffe' || two === 'feff') return { name: 'UTF-16', iconv: 'UTF-16' }
  if (two === '2d00') return { name: 'UTF-16', iconv: 'UTF-16LE' }
  return two === '002d' ? { name: 'UTF-16', iconv: 'UTF-16BE' } : null
}

/** The kind of a DER file and how to convert it to PEM. */
export function whyDerIsNotPem(der: Uint8Array, path: string): string {
  const kind = derKind(der)
  const command = pemCommand(kind, path)
  if (kind === 'PKCS#12') return `is PKCS#12, not PEM; use the option "pfx", or convert it with: ${command}`
  if (kind === 'OCSP response') return 'is an OCSP response; name it in the option "ocsp"'
  if (kind === 'PKCS#7') return `is PKCS#7 in DER, not PEM; convert it with: ${command}`
  if (kind === 'certificate request') {
    return `is a certificate request (CSR) in DER, which a CA signs; put the certificate that it issues here (see what the request is for with: ${command})`
  }
  return `is DER, not PEM; convert it with: ${command}`
}

function pemCommand(kind: DerKind | null, path: string): string {
  const [from, to] = [shellWord(path), shellWord(`${path}.pem`)]
  switch (kind) {
    case 'PKCS#12':
      return `openssl pkcs12 -in ${from} -nodes -out ${to}`
    case 'PKCS#7':
      return `openssl pkcs7 -inform der -in ${from} -print_certs -out ${to}`
    case 'private key':
      return `openssl pkey -inform der -in ${from} -out ${to}`
    case 'public key':
      return `openssl pkey -pubin -inform der -in ${from} -out ${to}`
    case 'revocation list':
      return `openssl crl -inform der -in ${from} -out ${to}`
    case 'DH parameters':
      return `openssl dhparam -inform der -in ${from} -out ${to}`
    case 'certificate request':
      return `openssl req -inform der -in ${from} -noout -subject`
    default:
      return `openssl x509 -inform der -in ${from} -out ${to}`
  }
}

const JAVA_KEYSTORES = new Set(['feedfeed', 'cececece'])

/** The kind of a file that is not PKCS#12 and how to convert it; `null` if unknown. */
export function whyNotPkcs12(bytes: Buffer, path: string): string | null {
  const from = shellWord(path)
  if (JAVA_KEYSTORES.has(bytes.subarray(0, 4).toString('hex'))) {
    const command = `keytool -importkeystore -srckeystore ${from} -destkeystore NEW.p12 -deststoretype PKCS12`
    return `is a Java keystore (JKS), not PKCS#12; convert it with: ${command}`
  }
  if (bytes.includes('-----BEGIN ')) {
    const command = `openssl pkcs12 -export -in ${from} -out NEW.p12`
    return `is PEM, not PKCS#12; use the options "cert" and "key", or convert it with: ${command}`
  }
  if (isBase64(bytes)) return `is base64 text, not PKCS#12; decode it with: base64 -d ${from} > NEW.p12`
  const kind = looksWhole(bytes) ? derKind(bytes) : null
  if (kind === null || kind === 'PKCS#12') return null
  return `is ${nounOf(kind)} in DER, not PKCS#12; write certificate and key together with: openssl pkcs12 -export -in CHAIN.pem -inkey KEY.pem -out NEW.p12`
}

/** Base64 of a DER file, as Kubernetes and cloud secrets are exported. The first byte of DER encodes to "M". */
export function isBase64(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!text.subarray(0, 64).toString('latin1').trimStart().startsWith('M')) return false
  return /^[A-Za-z0-9+/]{64,}={0,2}$/.test(text.toString('latin1').replaceAll(/\s+/g, ''))
}

/** The start of a damaged file can look like many formats. */
function looksWhole(der: Uint8Array): boolean {
  const count = (der[1] ?? 0) & 0x7f
  if (der[0] !== 0x30 || der[1] === undefined || der[1] <= 0x80 || count > 4) return false
  return der.subarray(2, 2 + count).reduce((sum, byte) => sum * 256 + byte, 0) + 2 + count === der.length
}
