import { randomBytes } from 'node:crypto'

import type { Authority } from '../material/certificates.js'
import { nothing, oid, pem, sequence } from '../material/der.js'
import { type KeyPair, keyPair } from '../material/keys.js'
import { oddCertificate } from '../material/odd-certificate.js'

/** A root whose trust settings (X509_CERT_AUX) are not DER. */
export function damagedSettings({ certDer }: Authority): string {
  return pem('TRUSTED CERTIFICATE', Buffer.concat([certDer, Buffer.from([1, 2, 3])]))
}

/** A root of version 1 signed with MD2, which OpenSSL has not verified since 1.0. */
export function obsoleteRoot(
  subject = 'Obsolete Root',
): KeyPair & { readonly name: string; readonly certPem: string } {
  const key = keyPair('rsa-2048')
  const signer = {
    algorithm: sequence(oid('1.2.840.113549.1.1.2'), nothing()),
    sign: () => randomBytes(256),
  }
  return {
    ...key,
    name: subject,
    certPem: pem('CERTIFICATE', oddCertificate({ key, signer, subject, version: 1 })),
  }
}
