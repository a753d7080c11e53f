import { pem } from './der.js'
import type { AlternativeNames, Purpose } from './extensions.js'
import {
  authorityKeyId,
  basicConstraints,
  extendedKeyUsage,
  keyUsage,
  nameConstraints,
  subjectAltName,
  subjectKeyId,
} from './extensions.js'
import type { KeyPair, KeyType, SignatureHash } from './keys.js'
import { keyPair, signerOf } from './keys.js'
import type { RevocationListOptions } from './revocation-list.js'
import { revocationList } from './revocation-list.js'
import { distinguishedName, fingerprint256, keyIdOf, randomSerial, signCertificate } from './x509.js'

/** Options of every certificate. */
interface CommonOptions {
  readonly keyType?: KeyType | undefined
  /** Reuses a key pair, for instance for a renewal that keeps its key. */
  readonly key?: KeyPair | undefined
  readonly notBefore?: Date | undefined
  readonly notAfter?: Date | undefined
  /** Hex. @defaultValue random */
  readonly serial?: string | undefined
  /** The digest of the issuer's signature. */
  readonly signatureHash?: SignatureHash | undefined
}

export interface AuthorityOptions extends CommonOptions {
  /** The common name. @defaultValue a unique one */
  readonly name?: string | undefined
  readonly parent?: Authority | undefined
  readonly pathLength?: number | undefined
  /** DNS names for which it may issue certificates, including subdomains. @defaultValue any */
  readonly permitted?: readonly string[] | undefined
  /** Hosts of URIs for which it may issue certificates; `.example.org` stands for those below. @defaultValue any */
  readonly permittedUris?: readonly string[] | undefined
  /** Additional encoded extensions, see `extension()`. */
  readonly extensions?: readonly Buffer[] | undefined
}

export interface LeafOptions extends CommonOptions, AlternativeNames {
  /** Empty for a certificate without a subject. @defaultValue the first name */
  readonly commonName?: string | undefined
  readonly extendedKeyUsage?: Purpose | undefined
  readonly isCa?: boolean | undefined
  /** Additional encoded extensions, see `extension()`. */
  readonly extensions?: readonly Buffer[] | undefined
}

export interface BundleOptions {
  readonly name?: string | undefined
  readonly keyType?: KeyType | undefined
}

interface Certified extends KeyPair {
  readonly certPem: string
  readonly certDer: Buffer
  /** Plain PKCS#8. */
  readonly keyPem: string
  /** In Node's format, equal to `X509Certificate#fingerprint256`. */
  readonly fingerprint256: string
  /** In Node's format, equal to `X509Certificate#serialNumber`. */
  readonly serial: string
  readonly notBefore: Date
  readonly notAfter: Date
}

export interface Leaf extends Certified {
  /** The leaf and its intermediates, without the root, as in the certificate file of a server. */
  readonly chainPem: string
}

export interface Authority extends Certified {
  readonly name: string
  /** The certificate and its intermediates, without the root; empty for a root. */
  readonly chainPem: string
  issue(options?: LeafOptions): Leaf
  issueAuthority(options?: Omit<AuthorityOptions, 'parent'>): Authority
  crl(options?: RevocationListOptions): string
}

let unnamed = 0

/** A root, or with `parent` an intermediate. */
export function createAuthority(options: AuthorityOptions = {}): Authority {
  const { name = `Test CA ${++unnamed}`, parent, pathLength, permitted = [], permittedUris = [] } = options
  const pair = options.key ?? keyPair(options.keyType)
  const certified = certify(options, pair, name, parent ?? { name, ...pair }, 10 * year, [
    basicConstraints(true, pathLength),
    keyUsage('digitalSignature', 'keyCertSign', 'crlSign'),
    ...nameConstraints(permitted, permittedUris),
    ...(options.extensions ?? []),
  ])
  const authority: Authority = {
    ...certified,
    name,
    chainPem: parent === undefined ? '' : certified.certPem + parent.chainPem,
    issue: (leafOptions = {}) => issueLeaf(leafOptions, authority),
    issueAuthority: (childOptions = {}) => createAuthority({ ...childOptions, parent: authority }),
    crl: (listOptions = {}) => revocationList(listOptions, authority),
  }
  return authority
}

/** A self-signed server certificate. */
export function selfSigned(options: LeafOptions = {}): Leaf {
  return issueLeaf(options, undefined)
}

/**
 * Roots with distinct names and one key pair, so that hundreds are generated fast. With a longer `name`, fewer of them exceed
 * the size limit of a TLS handshake.
 */
export function manyAuthorities(
  count: number,
  { name = 'Bundle CA', keyType }: BundleOptions = {},
): Authority[] {
  const key = keyPair(keyType)
  return Array.from({ length: count }, (_, index) => createAuthority({ name: `${name} ${index + 1}`, key }))
}

const minute = 60_000
const day = 24 * 60 * minute
const year = 365 * day

/** The part of an authority that signing needs; a self-signed leaf uses its own. */
interface Issuer extends KeyPair {
  readonly name: string
}

function issueLeaf(options: LeafOptions, authority: Authority | undefined): Leaf {
  const { names = ['localhost'], commonName = names[0] ?? 'Test leaf', isCa = false } = options
  const pair = options.key ?? keyPair(options.keyType)
  const isRsa = pair.publicKey.asymmetricKeyType === 'rsa'
  const certified = certify(options, pair, commonName, authority ?? { name: commonName, ...pair }, 90 * day, [
    basicConstraints(isCa),
    keyUsage(
      'digitalSignature',
      ...(isRsa ? (['keyEncipherment'] as const) : []),
      ...(isCa ? (['keyCertSign'] as const) : []),
    ),
    ...extendedKeyUsage(options.extendedKeyUsage ?? 'both'),
    ...subjectAltName({ ...options, names }, commonName === ''),
    ...(options.extensions ?? []),
  ])
  return { ...certified, chainPem: certified.certPem + (authority?.chainPem ?? '') }
}

function certify(
  options: CommonOptions,
  pair: KeyPair,
  name: string,
  issuer: Issuer,
  lifetimeMs: number,
  extensions: Buffer[],
): Certified {
  const serial = options.serial === undefined ? randomSerial() : normalSerial(options.serial)
  const notBefore = wholeSeconds(options.notBefore ?? new Date(Date.now() - 60 * minute))
  const notAfter = wholeSeconds(options.notAfter ?? new Date(Date.now() + lifetimeMs))
  const keyIds = [subjectKeyId(keyIdOf(pair.publicKey)), authorityKeyId(keyIdOf(issuer.publicKey))]
  const certDer = signCertificate(
    {
      issuer: distinguishedName(issuer.name),
      subject: distinguishedName(name),
      serial,
      notBefore,
      notAfter,
      publicKey: pair.publicKey,
      extensions: [...extensions, ...keyIds],
    },
    signerOf(issuer.privateKey, options.signatureHash),
  )
  return {
    certPem: pem('CERTIFICATE', certDer),
    certDer,
    keyPem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    privateKey: pair.privateKey,
    publicKey: pair.publicKey,
    fingerprint256: fingerprint256(certDer),
    serial,
    notBefore,
    notAfter,
  }
}

/** Dates in certificates have no fractions of seconds, so compared dates must have none. */
function wholeSeconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000)
}

function normalSerial(hex: string): string {
  const digits = BigInt(`0x${hex}`).toString(16).toUpperCase()
  return digits.length % 2 === 0 ? digits : `0${digits}`
}
