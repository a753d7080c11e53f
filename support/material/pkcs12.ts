import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

import { bmp, constructed, integer, nothing, octets, oid, primitive, sequence, set } from './der.js'
import { encrypt } from './encryption.js'
import type { KeyPair } from './keys.js'

export interface Pkcs12Options {
  readonly leaf: KeyPair & { readonly certDer: Buffer }
  /** Further certificates: intermediates, the root. */
  readonly chain?: readonly { readonly certDer: Buffer }[] | undefined
  readonly passphrase?: string | undefined
  readonly friendlyName?: string | undefined
  /** Iterations of the key derivation, for each of key, certificates and MAC. */
  readonly iterations?: number | undefined
  /** `none`: neither encrypted nor protected by a MAC, as with `-keypbe NONE -certpbe NONE -nomac`. */
  readonly algorithm?: 'aes-256-cbc' | 'none' | undefined
  /** Declares RC2 with 40 bits for the certificates, as old programs do; the content cannot be decrypted. */
  readonly outdated?: boolean | undefined
  /** Omits the key. */
  readonly keyless?: boolean | undefined
  /** Omits the certificates. */
  readonly bare?: boolean | undefined
  /** Additional bags after those of the certificates, from {@link safeBag}. */
  readonly extra?: readonly Buffer[] | undefined
  /** Additional bags after that of the key. */
  readonly extraKeys?: readonly Buffer[] | undefined
}

/** A PKCS#12 file, by default with the layout and protection of OpenSSL 3. */
export function pkcs12(options: Pkcs12Options): Buffer {
  const authenticated = authenticatedSafe(options)
  return options.algorithm === 'none' ? withoutMac(authenticated) : withMac(authenticated, options)
}

/** A file of these safes, which need not be valid. */
export function withoutMac(authenticated: Buffer): Buffer {
  return sequence(integer(3), dataContent(authenticated))
}

/** A file of these safes with a MAC from the passphrase. */
export function withMac(
  authenticated: Buffer,
  { passphrase = '', iterations = 2048 }: Pick<Pkcs12Options, 'passphrase' | 'iterations'>,
): Buffer {
  return sequence(integer(3), dataContent(authenticated), macData(authenticated, passphrase, iterations))
}

/** The safes of a file. */
export function authenticatedSafe(options: Pkcs12Options): Buffer {
  const { passphrase = '', iterations = 2048 } = options
  const plain = options.algorithm === 'none'
  const certificates = certificateBags(options)
  const safes = plain
    ? [dataContent(certificates), dataContent(keyBag(options))]
    : [
        encryptedContent(certificates, passphrase, options),
        dataContent(shroudedKeyBag(options, passphrase, iterations)),
      ]
  return sequence(...safes.slice(options.bare === true ? 1 : 0, options.keyless === true ? 1 : 2))
}

function certificateBags({ leaf, chain = [], friendlyName, extra = [] }: Pkcs12Options): Buffer {
  const leafBag = certificateBag(leaf.certDer, bagAttributes(leaf.certDer, friendlyName))
  return sequence(...extra, leafBag, ...chain.map(({ certDer }) => certificateBag(certDer)))
}

export function certificateBag(der: Buffer, attributes: Buffer[] = []): Buffer {
  const x509 = sequence(oid('1.2.840.113549.1.9.22.1'), constructed(0, octets(der)))
  return safeBag('1.2.840.113549.1.12.10.1.3', x509, attributes)
}

function keyBag({ leaf, friendlyName, extraKeys = [] }: Pkcs12Options): Buffer {
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'der' })
  const bag = safeBag('1.2.840.113549.1.12.10.1.1', key, bagAttributes(leaf.certDer, friendlyName))
  return sequence(bag, ...extraKeys)
}

function shroudedKeyBag(
  { leaf, friendlyName, extraKeys = [] }: Pkcs12Options,
  passphrase: string,
  iterations: number,
): Buffer {
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'der' })
  const { algorithm, data } = encrypt(key, passphrase, { iterations })
  const shrouded = sequence(algorithm, octets(data))
  const bag = safeBag('1.2.840.113549.1.12.10.1.2', shrouded, bagAttributes(leaf.certDer, friendlyName))
  return sequence(bag, ...extraKeys)
}

/** SafeBag ::= SEQUENCE { bagId, bagValue [0], bagAttributes OPTIONAL } (RFC 7292, section 4.2). */
export function safeBag(id: string, value: Buffer, attributes: Buffer[] = []): Buffer {
  return sequence(oid(id), constructed(0, value), ...(attributes.length === 0 ? [] : [set(...attributes)]))
}

/** Attributes with the local key ID that links the key to its certificate. */
function bagAttributes(certDer: Buffer, friendlyName: string | undefined): Buffer[] {
  const localKeyId = createHash('sha1').update(certDer).digest()
  const attribute = (id: string, value: Buffer): Buffer => sequence(oid(id), set(value))
  return [
    ...(friendlyName === undefined ? [] : [attribute('1.2.840.113549.1.9.20', bmp(friendlyName))]),
    attribute('1.2.840.113549.1.9.21', octets(localKeyId)),
  ]
}

/** An unencrypted part of a file. */
export function dataContent(content: Buffer): Buffer {
  return sequence(oid(dataId), constructed(0, octets(content)))
}

function encryptedContent(
  content: Buffer,
  passphrase: string,
  { iterations = 2048, outdated = false }: Pkcs12Options,
): Buffer {
  const { algorithm: modern, data } = encrypt(content, passphrase, { iterations })
  const algorithm = outdated
    ? sequence(oid(rc2Id), sequence(octets(randomBytes(8)), integer(iterations)))
    : modern
  const encrypted = sequence(integer(0), sequence(oid(dataId), algorithm, primitive(0, data)))
  return sequence(oid('1.2.840.113549.1.7.6'), constructed(0, encrypted))
}

function macData(content: Buffer, passphrase: string, iterations: number): Buffer {
  const salt = randomBytes(8)
  const sha256 = sequence(oid('2.16.840.1.101.3.4.2.1'), nothing())
  const mac = createHmac('sha256', macKey(passphrase, salt, iterations))
    .update(content)
    .digest()
  return sequence(sequence(sha256, octets(mac)), octets(salt), integer(iterations))
}

/** A file of these safes with a PBMAC1 MAC by HMAC-SHA-256 (RFC 9579), with a key of this length. */
export function withPbmac1(authenticated: Buffer, passphrase: string, keyBytes: number): Buffer {
  const salt = randomBytes(16)
  const hmac = sequence(oid('1.2.840.113549.2.9'), nothing())
  const parameters = sequence(octets(salt), integer(1000), integer(keyBytes), hmac)
  const derivation = sequence(oid('1.2.840.113549.1.5.12'), parameters)
  const algorithm = sequence(oid('1.2.840.113549.1.5.14'), sequence(derivation, hmac))
  const key = pbkdf2Sync(passphrase, salt, 1000, keyBytes, 'sha256')
  const mac = createHmac('sha256', key).update(authenticated).digest()
  const data = sequence(sequence(algorithm, octets(mac)), octets(salt), integer(1))
  return sequence(integer(3), dataContent(authenticated), data)
}

/** RFC 7292, appendix B.2, only for a key as long as the digest: a single block. */
function macKey(passphrase: string, salt: Buffer, iterations: number): Buffer {
  const password = Buffer.from(`${passphrase}\0`, 'utf16le').swap16()
  const purpose = Buffer.alloc(blockBytes, 3)
  let key = Buffer.concat([purpose, filled(salt), filled(password)])
  for (let round = 0; round < iterations; round++) key = createHash('sha256').update(key).digest()
  return key
}

/** Repeats the content up to a whole number of blocks. */
function filled(content: Buffer): Buffer {
  return Buffer.alloc(Math.ceil(content.length / blockBytes) * blockBytes, content)
}

const blockBytes = 64
const rc2Id = '1.2.840.113549.1.12.1.6'
const dataId = '1.2.840.113549.1.7.1'
