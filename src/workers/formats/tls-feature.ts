import { assertDer, childrenOf, contentOf, naturalOf } from './der.js'
import { extensionsOf } from './x509.js'

const TLS_FEATURE = '1.3.6.1.5.5.7.1.24'
/** The TLS extension that requests a stapled OCSP response. */
const STATUS_REQUEST = 5n

/**
 * Whether a certificate requires a stapled OCSP response ("must-staple", RFC 7633): clients that know the extension
 * refuse it without one. A malformed extension is ignored.
 */
export function mustStaple(certificate: Uint8Array): boolean {
  const extension = extensionsOf(certificate).find(({ oid }) => oid === TLS_FEATURE)
  if (!extension) return false
  const value = contentOf(certificate, extension.value)
  try {
    return childrenOf(value, assertDer(value)).some((feature) => naturalOf(value, feature) === STATUS_REQUEST)
  } catch {
    return false
  }
}
