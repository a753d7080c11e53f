import { assertDer, childrenOf, contentOf, oidOf } from './der.js'
import { extensionsOf } from './x509.js'

const AUTHORITY_INFO_ACCESS = '1.3.6.1.5.5.7.1.1'
const CA_ISSUERS = '1.3.6.1.5.5.7.48.2'
const URI = 0x86

/**
 * Where a certificate says that the certificate of its issuer can be fetched (RFC 5280, section 4.2.2.1); empty for what is
 * absent or cannot be read: OpenSSL does not look into it.
 */
export function issuerPlacesOf(der: Uint8Array): string[] {
  const extension = extensionsOf(der).find(({ oid }) => oid === AUTHORITY_INFO_ACCESS)
  if (!extension) return []
  const value = contentOf(der, extension.value)
  try {
    return childrenOf(value, assertDer(value)).flatMap((description) => {
      const [method, place] = childrenOf(value, description)
      if (!method || place?.tag !== URI || oidOf(value, method) !== CA_ISSUERS) return []
      const uri = contentOf(value, place).toString('latin1')
      return /^[\x21-\x7e]+$/.test(uri) ? [uri] : []
    })
  } catch {
    return []
  }
}
