import { constructed, integer, oid, sequence, set } from './der.js'

/** A PKCS#7 file with certificates and no signature (RFC 2315, section 9.1), as written by `openssl crl2pkcs7`. */
export function pkcs7(certificates: readonly { readonly certDer: Buffer }[]): Buffer {
  const data = sequence(oid('1.2.840.113549.1.7.1'))
  const carried = constructed(0, ...certificates.map(({ certDer }) => certDer))
  const signedData = sequence(integer(1), set(), data, carried, set())
  return sequence(oid('1.2.840.113549.1.7.2'), constructed(0, signedData))
}
