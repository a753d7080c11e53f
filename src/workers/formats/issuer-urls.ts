import { assertDer, childrenOf, contentOf, oidOf } from './der.js'
import { extensionsOf } from './x509.js'

const AUTHORITY_INFO_ACCESS = '1.3.6.1.5.5.7.1.1'
const CA_ISSUERS = '1.3.6.1.5.5.7.48.2'
const URI = 0x86

/**
 * URLs of the issuer's certificate (RFC 5280, section 4.2.2.1); empty if absent or unreadable, because OpenSSL does not
 * read this extension.
 */
export function issuerUrlsOf(der: Uint8Array): string[] {
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
