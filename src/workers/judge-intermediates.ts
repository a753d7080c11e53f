import { isSelfSigned } from './certificates.js'
import { oneLine } from './facts.js'
import type { Findings } from './findings.js'
import type { Identity } from './identity.js'
import { type Issuer, readIssuer } from './issuer.js'

/**
 * Looks for certificates of the chain that clients do not let vouch for a server: OpenSSL loads them without an error. A root
 * is left out, because clients have their own copy of it.
 */
export function judgeIntermediates({ chain, linked, path }: Identity, found: Findings): void {
  for (const certificate of chain.slice(1, linked)) {
    if (isSelfSigned(certificate)) continue
    const { ca, serverFlaw, invalid } = readIssuer(certificate.raw)
    const why = invalid ?? flawOf(ca) ?? serverFlaw
    if (why === null) continue
    const message = `${oneLine(certificate.subject)} in ${path} may not issue certificates for servers: ${why}; clients refuse the chain`
    found.judge('reject', 'CERT_PURPOSE', message, path)
  }
}

/** OpenSSL takes no older sign of a CA than basic constraints between a leaf and its root (`check_extensions` in x509_vfy.c). */
function flawOf(ca: Issuer['ca']): string | null {
  if (ca === 'ca') return null
  return ca === null ? 'it is not a CA certificate' : 'it has no basic constraints that make it a CA'
}
