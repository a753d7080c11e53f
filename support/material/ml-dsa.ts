import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from 'node:crypto'

import { bits, integer, octets, oid, pem, primitive, sequence } from './der.js'
import type { KeyPair } from './keys.js'

const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number)

/** Whether the OpenSSL of this Node reads ML-DSA keys. */
export const readsMlDsa: boolean = major > 3 || (major === 3 && minor >= 5)

/** For the option `skip` of a test that serves with ML-DSA. */
export const withoutMlDsa: string | false = !readsMlDsa && 'needs a Node with OpenSSL 3.5: 22 or later'

/** Bytes of a public key (FIPS 204, table 2). */
const PUBLIC_BYTES = { 44: 1312, 65: 1952, 87: 2592 }

/**
 * An ML-DSA key pair from a random seed (RFC 9881, section 6). If OpenSSL does not read such keys, both halves have the right
 * form but do not match.
 */
export function mlDsaPair(set: 44 | 65 | 87 = 65): KeyPair {
  const algorithm = sequence(oid(`2.16.840.1.101.3.4.3.${{ 44: 17, 65: 18, 87: 19 }[set]}`))
  const pkcs8 = sequence(integer(0), algorithm, octets(primitive(0, randomBytes(32))))
  if (readsMlDsa) {
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    return { privateKey, publicKey: createPublicKey(privateKey) }
  }
  const spki = sequence(algorithm, bits(randomBytes(PUBLIC_BYTES[set])))
  return { privateKey: standIn('PRIVATE KEY', pkcs8), publicKey: standIn('PUBLIC KEY', spki) }
}

function standIn(label: string, der: Buffer): KeyObject {
  const encoded = ({ format }: { format: string }) => (format === 'pem' ? pem(label, der) : Buffer.from(der))
  return { export: encoded } as unknown as KeyObject
}
