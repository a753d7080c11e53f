import { createHash, type KeyObject } from 'node:crypto'

import type { Authority, Leaf } from './certificates.js'
import { bits, constructed, integer, nothing, octets, oid, primitive, sequence, tagged } from './der.js'
import { authorityKeyId, basicConstraints, extension, keyUsage, subjectKeyId } from './extensions.js'
import { keyPair, type Signer, signerOf } from './keys.js'
import { distinguishedName, keyIdOf, publicKeyInfo, randomSerial, signCertificate } from './x509.js'

export type OcspHash = 'sha1' | 'sha256' | 'sha384' | 'sha512'

export interface OcspOptions {
  readonly status?: 'good' | 'revoked' | 'unknown'
  readonly thisUpdate?: Date
  /** `null` for none. */
  readonly nextUpdate?: Date | null
  /** The digest of the identifiers. */
  readonly hash?: OcspHash
  /** Delegated responder that signs instead of the authority. */
  readonly responder?: Responder
  /** Signs in the name of the authority, with another key. */
  readonly signer?: Signer
  readonly by?: 'name' | 'key'
  /** An error as OCSPResponseStatus, instead of a response. */
  readonly refusal?: number
  /** Other certificates of the same authority in the response, before the leaf. */
  readonly others?: readonly Pick<Leaf, 'serial'>[]
  readonly singleExtensions?: readonly Buffer[]
  readonly extensions?: readonly Buffer[]
  /** Certificates in the response, instead of the default one. */
  readonly certificates?: readonly Buffer[]
}

/** A delegated responder. */
export interface Responder {
  readonly name: string
  readonly certDer: Buffer
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export interface ResponderOptions {
  readonly name?: string
  /** Object identifiers of the extended key usage. */
  readonly purposes?: readonly string[]
  readonly notBefore?: Date
  readonly notAfter?: Date
}

const HASH_OIDS: Record<OcspHash, string> = {
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
}

/** The DER of a response about a leaf; by default `good`, signed by the authority, valid from a minute ago for a week. */
export function ocspResponse(
  leaf: Pick<Leaf, 'serial'>,
  authority: Authority,
  options: OcspOptions = {},
): Buffer {
  if (options.refusal !== undefined) return sequence(enumerated(options.refusal))
  const { responder, others = [], by = 'name', extensions = [] } = options
  const { name, publicKey, privateKey } = responder ?? authority
  const signer = options.signer ?? signerOf(privateKey)
  const id =
    by === 'name' ? constructed(1, distinguishedName(name)) : constructed(2, octets(sha1KeyHash(publicKey)))
  const data = sequence(
    id,
    generalizedTime(new Date()),
    sequence(...[...others, leaf].map((one) => singleResponse(one, authority, options))),
    ...(extensions.length === 0 ? [] : [constructed(1, sequence(...extensions))]),
  )
  const { certificates = responder ? [responder.certDer] : [] } = options
  const basic = sequence(
    data,
    signer.algorithm,
    bits(signer.sign(data)),
    ...(certificates.length === 0 ? [] : [constructed(0, sequence(...certificates))]),
  )
  return sequence(enumerated(0), constructed(0, sequence(oid('1.3.6.1.5.5.7.48.1.1'), octets(basic))))
}

const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'

/** A responder with a certificate that the authority has issued for OCSP. */
export function delegatedResponder(authority: Authority, options: ResponderOptions = {}): Responder {
  const { name = 'Test responder', purposes = [OCSP_SIGNING] } = options
  const { publicKey, privateKey } = keyPair()
  const certDer = signCertificate(
    {
      issuer: distinguishedName(authority.name),
      subject: distinguishedName(name),
      serial: randomSerial(),
      notBefore: options.notBefore ?? new Date(Date.now() - hour),
      notAfter: options.notAfter ?? new Date(Date.now() + 30 * day),
      publicKey,
      extensions: [
        basicConstraints(false),
        keyUsage('digitalSignature'),
        extension('2.5.29.37', sequence(...purposes.map(oid))),
        extension('1.3.6.1.5.5.7.48.1.5', nothing()),
        subjectKeyId(keyIdOf(publicKey)),
        authorityKeyId(keyIdOf(authority.publicKey)),
      ],
    },
    signerOf(authority.privateKey),
  )
  return { name, certDer, publicKey, privateKey }
}

/** The extension that names the address of the responder (RFC 5280, section 4.2.2.1). */
export function responderExtension(url: string): Buffer {
  const access = sequence(oid('1.3.6.1.5.5.7.48.1'), primitive(6, Buffer.from(url)))
  return extension('1.3.6.1.5.5.7.1.1', sequence(access))
}

/** The extension that requires a stapled response (RFC 7633). */
export function mustStapleExtension(): Buffer {
  return extension('1.3.6.1.5.5.7.1.24', sequence(integer(5)))
}

const hour = 3_600_000
const day = 24 * hour

function singleResponse(
  { serial }: Pick<Leaf, 'serial'>,
  authority: Authority,
  { status = 'good', hash = 'sha1', singleExtensions = [], ...dates }: OcspOptions,
): Buffer {
  const { thisUpdate = new Date(Date.now() - 60_000) } = dates
  const nextUpdate =
    dates.nextUpdate === undefined ? new Date(thisUpdate.getTime() + 7 * day) : dates.nextUpdate
  const digest = (bytes: Uint8Array) => octets(createHash(hash).update(bytes).digest())
  return sequence(
    sequence(
      sequence(oid(HASH_OIDS[hash]), nothing()),
      digest(distinguishedName(authority.name)),
      digest(keyBits(authority.publicKey)),
      integer(BigInt(`0x${serial}`)),
    ),
    status === 'revoked'
      ? constructed(1, generalizedTime(thisUpdate))
      : primitive(status === 'good' ? 0 : 2, Buffer.alloc(0)),
    generalizedTime(thisUpdate),
    ...(nextUpdate ? [constructed(0, generalizedTime(nextUpdate))] : []),
    ...(singleExtensions.length === 0 ? [] : [constructed(1, sequence(...singleExtensions))]),
  )
}

function sha1KeyHash(key: KeyObject): Buffer {
  return createHash('sha1').update(keyBits(key)).digest()
}

/** The content of the BIT STRING in a SubjectPublicKeyInfo, without the byte for unused bits. */
function keyBits(key: KeyObject): Buffer {
  const spki = publicKeyInfo(key)
  const [start, length] = element(spki, 0)
  const [algorithm, algorithmLength] = element(spki, start)
  const [from] = element(spki, algorithm + algorithmLength)
  return spki.subarray(from + 1, start + length)
}

/** Offset and length of the content of an element. */
function element(der: Buffer, at: number): [number, number] {
  const first = der[at + 1] as number
  if (first < 0x80) return [at + 2, first]
  const count = first & 0x7f
  return [at + 2 + count, der.readUIntBE(at + 2, count)]
}

function enumerated(value: number): Buffer {
  return tagged(0x0a, Buffer.from([value]))
}

function generalizedTime(date: Date): Buffer {
  return tagged(0x18, Buffer.from(date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')))
}
