import { constructed, integer, octets, pem, sequence } from './der.js'
import type { EncryptionOptions } from './encryption.js'
import { encrypt } from './encryption.js'
import type { KeyPair } from './keys.js'
import { signerOf } from './keys.js'
import { distinguishedName, publicKeyInfo, signed } from './x509.js'

/** `BEGIN ENCRYPTED PRIVATE KEY`, with any cost; Node only writes 2,048 iterations. */
export function encryptedPkcs8(
  { privateKey }: KeyPair,
  passphrase: string,
  options?: EncryptionOptions,
): string {
  const plain = privateKey.export({ type: 'pkcs8', format: 'der' })
  const { algorithm, data } = encrypt(plain, passphrase, options)
  return pem('ENCRYPTED PRIVATE KEY', sequence(algorithm, octets(data)))
}

/** `BEGIN RSA PRIVATE KEY` or `BEGIN EC PRIVATE KEY`; with a passphrase, it contains `Proc-Type: 4,ENCRYPTED`. */
export function traditionalKey({ privateKey }: KeyPair, passphrase?: string): string {
  const type = privateKey.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1'
  const encryption = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }
  return privateKey.export({ type, format: 'pem', ...encryption }).toString()
}

/** A certificate request, which is easily mistaken for a certificate. */
export function csr({ privateKey, publicKey }: KeyPair, commonName = 'localhost'): string {
  const noAttributes = constructed(0)
  const body = [integer(0), distinguishedName(commonName), publicKeyInfo(publicKey), noAttributes]
  return pem('CERTIFICATE REQUEST', signed(signerOf(privateKey), body))
}

export function publicKeyPem({ publicKey }: KeyPair): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString()
}
