import { createHash, type X509Certificate } from 'node:crypto'

import { keyTypeOf } from './facts.js'
import type { Identity } from './identity.js'
import { extensionOf, signatureOid } from './x509.js'

const KEY_USAGE = '2.5.29.15'

/**
 * What of the pairs decides in which versions of TLS they can be used at all: key types and sizes, how leaves were signed
 * and what their keys are for, the issuers, Diffie-Hellman parameters. Pairs of one likeness differ in names, dates and keys.
 */
export function likenessOf(identities: readonly Identity[], dhparam: string | null): string {
  const parts = identities.map(({ chain }) => {
    const [leaf, ...issuers] = chain as [X509Certificate, ...X509Certificate[]]
    return [
      keyTypeOf(leaf.publicKey),
      signatureOid(leaf.raw),
      extensionOf(leaf.raw, KEY_USAGE),
      issuers.map(({ fingerprint256 }) => fingerprint256),
    ]
  })
  return createHash('sha256')
    .update(JSON.stringify([parts, dhparam]))
    .digest('hex')
}
