import { generateKeyPairSync, type KeyObject } from 'node:crypto'

import { type Authority, createAuthority } from '../material/certificates.js'
import { bits, integer, oid, pem, sequence } from '../material/der.js'
import {
  authorityKeyId,
  basicConstraints,
  extension,
  subjectAltName,
  subjectKeyId,
} from '../material/extensions.js'
import { encryptedPkcs8, traditionalKey } from '../material/key-forms.js'
import { type KeyPair, keyPair, type Signer, signerOf } from '../material/keys.js'
import { mlDsaPair, readsMlDsa } from '../material/ml-dsa.js'
import { derOf, rewrapped } from '../material/pem-text.js'
import { pkcs12 } from '../material/pkcs12.js'
import { distinguishedName, keyIdOf, randomSerial, signCertificate } from '../material/x509.js'

/*
 * Pairs of every kind that the tests can generate, by key, chain, extensions and dates of the leaf, and form of the files.
 */

const named = (namedCurve: string) => () => generateKeyPairSync('ec', { namedCurve })
const typed =
  (type: string, options: object = {}) =>
  () =>
    generateKeyPairSync(type as 'ed25519', options as object)

const KEYS: Readonly<Record<string, () => KeyPair>> = {
  'P-256': named('P-256'),
  'P-384': named('P-384'),
  'P-521': named('P-521'),
  'P-224': named('P-224'),
  secp256k1: named('secp256k1'),
  brainpoolP256r1: named('brainpoolP256r1'),
  'explicit P-256': typed('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }),
  'RSA 2048': () => keyPair('rsa-2048'),
  'RSA 1024': () => keyPair('rsa-1024'),
  'RSA with e = 3': typed('rsa', { modulusLength: 2048, publicExponent: 3 }),
  'RSA-PSS': () => keyPair('rsa-pss'),
  Ed25519: typed('ed25519'),
  Ed448: typed('ed448'),
  DSA: typed('dsa', { modulusLength: 1024, divisorLength: 160 }),
  X25519: typed('x25519'),
  ...(readsMlDsa
    ? { 'ML-DSA-44': () => mlDsaPair(44), 'ML-DSA-65': () => mlDsaPair(65), 'ML-DSA-87': () => mlDsaPair(87) }
    : {}),
}

const usage = (byte: number) =>
  extension('2.5.29.15', bits(Buffer.from([byte]), 31 - Math.clz32(byte & -byte)), true)
const purpose = (...ids: string[]) => extension('2.5.29.37', sequence(...ids.map(oid)))
const [SERVER, CLIENT, ANY] = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2', '2.5.29.37.0'] as const

/** The first of each kind is the usual one. */
const CHOICES = {
  key: KEYS,
  issuer: { intermediate: 0, root: 0, 'RSA root': 0, itself: 0 },
  chain: {
    whole: (leaf: string, above: string) => leaf + above,
    'with the root': (leaf: string, above: string, root: string) => leaf + above + root,
    'root first': (leaf: string, above: string, root: string) => leaf + root + above,
    'leaf alone': (leaf: string) => leaf,
    'issuers first': (leaf: string, above: string) => above + leaf,
    'with a stranger': (leaf: string, above: string) => leaf + above + stranger.certPem,
    'only an unrelated certificate beside the leaf': (leaf: string) => leaf + stranger.certPem,
    'leaf twice': (leaf: string, above: string) => leaf + leaf + above,
  },
  digest: { sha256: 'sha256', sha384: 'sha384', sha512: 'sha512', sha1: 'sha1' },
  names: {
    localhost: subjectAltName({ names: ['localhost'] }, false),
    'localhost, critical': subjectAltName({ names: ['localhost'] }, true),
    wildcard: subjectAltName({ names: ['localhost', '*.example.com'] }, false),
    none: [],
    SPIFFE: subjectAltName({ uris: ['spiffe://example.org/api'] }, false),
    'another host': subjectAltName({ names: ['other.example'] }, false),
  },
  usage: {
    digitalSignature: [usage(0x80)],
    none: [],
    'both of TLS': [usage(0xa0)],
    keyEncipherment: [usage(0x20)],
    keyAgreement: [usage(0x08)],
    keyCertSign: [usage(0x04)],
  },
  purpose: {
    server: [purpose(SERVER)],
    both: [purpose(SERVER, CLIENT)],
    none: [],
    client: [purpose(CLIENT)],
    any: [purpose(ANY)],
    'any and server': [purpose(SERVER, ANY)],
    mail: [purpose('1.3.6.1.5.5.7.3.4')],
  },
  constraints: { leaf: [basicConstraints(false)], none: [], CA: [basicConstraints(true)] },
  extra: {
    none: [],
    'unknown extension': [extension('1.2.3.4.5', integer(1))],
    'unknown critical extension': [extension('1.2.3.4.5', integer(1), true)],
    'Netscape type of a client': [extension('2.16.840.1.113730.1.1', bits(Buffer.from([0x80]), 7))],
    'Netscape type of a server': [extension('2.16.840.1.113730.1.1', bits(Buffer.from([0x40]), 6))],
    'OCSP must-staple': [extension('1.3.6.1.5.5.7.1.24', sequence(integer(5)))],
    'an extension twice': [subjectKeyId(Buffer.from('one')), subjectKeyId(Buffer.from('two'))],
  },
  dates: { now: [-1, 2000], over: [-50, -1], 'to come': [1, 50] },
  certForm: {
    plain: (text: string) => text,
    CRLF: (text: string) => text.replaceAll('\n', '\r\n'),
    'byte order mark': (text: string) => `\ufeff${text}`,
    'text around': (text: string) => `subject=localhost\n${text}\nthat was all\n`,
    'another label': (text: string) => text.replaceAll(' CERTIFICATE-', ' X509 CERTIFICATE-'),
    'trusted label': (text: string) => text.replaceAll(' CERTIFICATE-', ' TRUSTED CERTIFICATE-'),
    'no line end': (text: string) => text.trimEnd(),
    'lines of 76': (text: string) => rewrapped(text, 76),
    'spaces at the ends of lines': (text: string) => text.replaceAll('\n', '  \n'),
    DER: (text: string) => derOf(text),
    'UTF-16': (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le'),
    'cut off': (text: string) => text.slice(0, -40),
    'base64 twice': (text: string) => Buffer.from(text).toString('base64'),
  },
  keyForm: {
    PKCS8: (pair: KeyPair) => pkcs8(pair),
    traditional: (pair: KeyPair) => traditional(pair),
    CRLF: (pair: KeyPair) => pkcs8(pair).replaceAll('\n', '\r\n'),
    encrypted: (pair: KeyPair) => encryptedPkcs8(pair, PASSPHRASE),
    'traditional, encrypted': (pair: KeyPair) => traditional(pair, PASSPHRASE),
    'encrypted otherwise': (pair: KeyPair) => encryptedPkcs8(pair, 'another'),
    'an encrypted key after it': (pair: KeyPair) => pkcs8(pair) + strange().encrypted,
    'an encrypted key before it': (pair: KeyPair) => strange().encrypted + pkcs8(pair),
    'another key before it': (pair: KeyPair) => strange().plain + pkcs8(pair),
    'another key': () => strange().plain,
    DER: (pair: KeyPair) => derOf(pkcs8(pair)),
    'cut off': (pair: KeyPair) => pkcs8(pair).slice(0, -40),
  },
  container: {
    'two files': 0,
    'one file': 0,
    'one file, key first': 0,
    PKCS12: 0,
    'PKCS12 without encryption': 0,
  },
  passphrase: { given: 0, none: 0 },
} as const

type Choices = typeof CHOICES

/** The choice of each kind, by name. */
export type PairCase = { readonly [Kind in keyof Choices]: keyof Choices[Kind] & string }

/** The files of a case, and the root for a client. */
export interface PairFilesOfCase {
  /** `null` for PKCS#12. */
  readonly cert: string | Buffer | null
  readonly key: string | Buffer | null
  readonly pfx: Buffer | null
  readonly passphrase: string | null
  readonly leafDer: Buffer
  /** PEM of the root that the client trusts. */
  readonly root: string
}

const PASSPHRASE = 'Wolkenkrätzer'
const HOUR = 3_600_000

const roots = {
  ec: createAuthority({ name: 'Cases Root' }),
  rsa: createAuthority({ name: 'Cases RSA Root', keyType: 'rsa-2048' }),
}
const intermediate = roots.ec.issueAuthority({ name: 'Cases Intermediate' })
const stranger = createAuthority({ name: 'Cases Stranger' })
const made = new Map<string, KeyPair>()

/** The default pair. */
export const usualCase = Object.fromEntries(
  Object.entries(CHOICES).map(([kind, choices]) => [kind, Object.keys(choices)[0]]),
) as unknown as PairCase

/** A random case: most choices are the usual ones, because two faults hide each other. */
export function drawnCase(next: () => number): PairCase {
  const kinds = Object.keys(CHOICES) as (keyof Choices)[]
  const unusual = new Set(
    Array.from({ length: 1 + Math.floor(next() * 3) }, () => kinds[Math.floor(next() * kinds.length)]),
  )
  return Object.fromEntries(
    kinds.map((kind) => {
      const names = Object.keys(CHOICES[kind])
      // Key and issuer always vary.
      const isDrawn =
        unusual.has(kind) || (kind === 'key' && next() < 0.4) || (kind === 'issuer' && next() < 0.4)
      return [kind, isDrawn ? names[Math.floor(next() * names.length)] : names[0]]
    }),
  ) as unknown as PairCase
}

const FORMS = ['certForm', 'keyForm', 'container', 'passphrase'] as const

/** The same pair in random forms: half of the forms are the usual ones. */
export function otherFormOf(one: PairCase, next: () => number): PairCase {
  const forms = FORMS.map((kind) => {
    const names = Object.keys(CHOICES[kind])
    return [kind, names[next() < 0.5 ? 0 : Math.floor(next() * names.length)]]
  })
  return { ...one, ...Object.fromEntries(forms) }
}

/** Describes the choices that are not the usual ones. */
export function describeCase(one: PairCase): string {
  const kinds = Object.keys(CHOICES) as (keyof Choices)[]
  return (
    kinds
      .filter((kind) => one[kind] !== usualCase[kind])
      .map((kind) => `${kind}: ${one[kind]}`)
      .join(', ') || 'the usual pair'
  )
}

/** `null` for a case that cannot be generated: a key that cannot sign has no self-signed certificate. */
export function filesOfCase(one: PairCase): PairFilesOfCase | null {
  const pair = keyOf(one.key)
  const issuer = issuerOf(one, pair)
  const signer = issuer && signerOr(issuer.privateKey, CHOICES.digest[one.digest])
  if (!issuer || !signer) return null
  const leafDer = sameLeafOr(one, () => leafOf(one, pair, issuer, signer))
  const leaf = pem('CERTIFICATE', leafDer)
  const root = issuer.root ?? leaf
  const chain = CHOICES.chain[one.chain](leaf, issuer.above, root)
  const passphrase = one.passphrase === 'given' ? PASSPHRASE : null
  const common = { passphrase, leafDer, root }
  if (one.container === 'PKCS12' || one.container === 'PKCS12 without encryption') {
    const algorithm = one.container === 'PKCS12' ? 'aes-256-cbc' : 'none'
    const rest = one.chain === 'leaf alone' ? [] : issuer.certificates
    const pfx = pkcs12({
      leaf: { ...pair, certDer: leafDer },
      chain: rest,
      passphrase: PASSPHRASE,
      algorithm,
    })
    return { ...common, cert: null, key: null, pfx }
  }
  const cert = CHOICES.certForm[one.certForm](chain)
  const key = CHOICES.keyForm[one.keyForm](pair)
  if (one.container === 'two files') return { ...common, cert, key, pfx: null }
  const both = one.container === 'one file' ? joined(cert, key) : joined(key, cert)
  return { ...common, cert: both, key: both, pfx: null }
}

let lastLeaf: { readonly name: string; readonly der: Buffer } | undefined

/** Consecutive cases that differ only in their forms share one certificate. */
function sameLeafOr(one: PairCase, make: () => Buffer): Buffer {
  const name = JSON.stringify({ ...one, ...Object.fromEntries(FORMS.map((kind) => [kind, null])) })
  if (lastLeaf?.name !== name) lastLeaf = { name, der: make() }
  return lastLeaf.der
}

/** One cached pair for each kind of key: generating an RSA key takes 0.1 s. */
function keyOf(name: PairCase['key']): KeyPair {
  const known = made.get(name) ?? (KEYS[name] as () => KeyPair)()
  made.set(name, known)
  return known
}

interface CaseIssuer {
  readonly name: string
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  /** `null` for a self-signed leaf. */
  readonly root: string | null
  readonly above: string
  readonly certificates: readonly { readonly certDer: Buffer }[]
}

function issuerOf({ issuer }: PairCase, pair: KeyPair): CaseIssuer {
  const of = (authority: Authority, root: Authority): CaseIssuer => {
    return {
      ...authority,
      root: root.certPem,
      above: authority.chainPem,
      certificates: authority === root ? [] : [authority],
    }
  }
  if (issuer === 'itself') return { ...pair, name: 'localhost', root: null, above: '', certificates: [] }
  if (issuer === 'RSA root') return of(roots.rsa, roots.rsa)
  return of(issuer === 'root' ? roots.ec : intermediate, roots.ec)
}

/** `null` for a key that cannot sign, or not with this digest. */
function signerOr(key: KeyObject, digest: 'sha1' | 'sha256' | 'sha384' | 'sha512'): Signer | null {
  try {
    const signer = signerOf(key, digest)
    signer.sign(Buffer.from('probe'))
    return signer
  } catch {
    return null
  }
}

function leafOf(one: PairCase, { publicKey }: KeyPair, issuer: CaseIssuer, signer: Signer): Buffer {
  const [from, to] = CHOICES.dates[one.dates].map((hours) => new Date(Date.now() + hours * HOUR)) as [
    Date,
    Date,
  ]
  const keyIds = [subjectKeyId(keyIdOf(publicKey)), authorityKeyId(keyIdOf(issuer.publicKey))]
  const fields = {
    ...{ issuer: distinguishedName(issuer.name), subject: distinguishedName('localhost') },
    ...{ serial: randomSerial(), notBefore: from, notAfter: to, publicKey },
    extensions: [
      ...[
        CHOICES.constraints[one.constraints],
        CHOICES.usage[one.usage],
        CHOICES.purpose[one.purpose],
      ].flat(),
      ...[CHOICES.names[one.names], CHOICES.extra[one.extra]].flat(),
      ...(one.extra === 'an extension twice' ? [] : keyIds),
    ],
  }
  return signCertificate(fields, signer)
}

let strangeKey: { readonly plain: string; readonly encrypted: string } | undefined

/** A key of another certificate, generated once. */
function strange(): { readonly plain: string; readonly encrypted: string } {
  if (strangeKey !== undefined) return strangeKey
  const pair = keyPair()
  strangeKey = { plain: pkcs8(pair), encrypted: encryptedPkcs8(pair, 'another') }
  return strangeKey
}

function pkcs8({ privateKey }: KeyPair): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** PKCS#8 for kinds without a traditional form. */
function traditional(pair: KeyPair, passphrase?: string): string {
  const { asymmetricKeyType: type } = pair.privateKey
  if (type === 'rsa' || type === 'ec') return traditionalKey(pair, passphrase)
  return passphrase === undefined ? pkcs8(pair) : encryptedPkcs8(pair, passphrase)
}

function joined(one: string | Buffer, other: string | Buffer): string | Buffer {
  if (typeof one === 'string' && typeof other === 'string') return `${one.trimEnd()}\n${other}`
  return Buffer.concat([Buffer.from(one), Buffer.from(other)])
}
