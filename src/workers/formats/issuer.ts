import { type AuthorityKeyId, authorityKeyIdOf, namesKey } from './authority-key-id.js'
import { base64Of, childrenOf, contentOf, type DerNode, expectTag, oidOf } from './der.js'
import { BIT_STRING, BOOLEAN, CONTEXT_0, INTEGER, OCTET_STRING, SEQUENCE } from './der-tags.js'
import { type Extension, elementIn } from './extensions.js'
import { assertGeneralNames, assertNameConstraints } from './name-lists.js'
import { canonicalIssuerOf, canonicalSubjectOf, extensionsOf, serialOf, versionOf } from './x509.js'

/**
 * The properties that decide for which certificates OpenSSL accepts a trust anchor, read as OpenSSL 3.0 to 3.5 does
 * (`ossl_x509v3_cache_extensions`, `check_ca` and `check_purpose_ssl_client` in crypto/x509/v3_purp.c). Node exposes
 * only `ca`, which is false for some certificates that OpenSSL accepts as issuers.
 */
export interface Issuer {
  /** Names in canonical form. */
  readonly subject: string
  readonly issuer: string
  /** Base64. */
  readonly serial: string
  /** Its subject key identifier in base64. */
  readonly keyId: string | null
  /** Which key signed it; `null` if not stated. */
  readonly authorityKey: AuthorityKeyId | null
  /** Subject and issuer are equal, and the authority key identifier does not name another key. */
  readonly selfSigned: boolean
  /** Why OpenSSL accepts it as a CA; `null` if it does not. */
  readonly ca: 'ca' | 'version 1' | 'key usage' | 'Netscape type' | null
  /** Maximum number of CAs, not counting self-issued ones, between it and a leaf; infinite without a limit. */
  readonly pathLength: number
  /** Whether it may sign revocation lists. */
  readonly signsLists: boolean
  /** Why every client chain with it is refused; `null` if there is no reason. */
  readonly clientFlaw: string | null
  /** Why every server chain with it is refused; `null` if there is no reason. */
  readonly serverFlaw: string | null
  /** Why no client may use it as its own certificate; `null` if one may. */
  readonly ownFlaw: string | null
  /** Why clients refuse it as a server certificate; `null` if they accept it. */
  readonly serverLeafFlaw: string | null
  /** Whether its key usage includes certificate signing; `null` without a key usage. */
  readonly certSign: boolean | null
  /** Why OpenSSL cannot read the certificate; `null` if it can. */
  readonly invalid: string | null
  /** Full names of its CRL distribution points, DER in base64. */
  readonly distributionPoints: readonly string[]
}

/** @throws RangeError if the bytes are not DER. */
export function readIssuer(der: Uint8Array): Issuer {
  const extensions = readExtensions(der)
  const subject = canonicalSubjectOf(der)
  const issuer = canonicalIssuerOf(der)
  const serial = serialOf(der)
  const { keyId, authorityKey } = extensions
  const isItsOwn = authorityKey === null || namesKey(authorityKey, { keyId, serial, issuer })
  const selfSigned = subject === issuer && isItsOwn
  const clientFlaw = flawOf(extensions, CLIENT_PURPOSES)
  const serverFlaw = flawOf(extensions, SERVER_PURPOSES)
  return {
    ...{ subject, issuer, serial, keyId, authorityKey, selfSigned, clientFlaw, serverFlaw },
    ca: caOf(extensions, versionOf(der) === 1 && selfSigned),
    pathLength: extensions.basicConstraints?.pathLength ?? UNLIMITED,
    signsLists: allows(extensions.usage, CRL_SIGN),
    ownFlaw: clientFlaw ?? ownFlawOf(extensions),
    serverLeafFlaw: serverLeafFlawOf(extensions),
    certSign: extensions.usage === null ? null : allows(extensions.usage, KEY_CERT_SIGN),
    invalid: extensions.invalid,
    distributionPoints: extensions.distributionPoints,
  }
}

const UNLIMITED = Number.POSITIVE_INFINITY

const KEY_USAGE = '2.5.29.15'
const BASIC_CONSTRAINTS = '2.5.29.19'
const SUBJECT_KEY_ID = '2.5.29.14'
const AUTHORITY_KEY_ID = '2.5.29.35'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const DISTRIBUTION_POINTS = '2.5.29.31'
const ALTERNATIVE_NAMES = '2.5.29.17'
const NAME_CONSTRAINTS = '2.5.29.30'
const IP_BLOCKS = '1.3.6.1.5.5.7.1.7' // RFC 3779
const AUTONOMOUS_SYSTEMS = '1.3.6.1.5.5.7.1.8' // RFC 3779
const ANY_PURPOSE = '2.5.29.37.0'
const NETSCAPE_TYPE = '2.16.840.1.113730.1.1'
const PROXY = '1.3.6.1.5.5.7.1.14'

/** Critical extensions that OpenSSL handles (`X509_supported_extension`); any other invalidates the chain. */
const SUPPORTED = new Set([
  NETSCAPE_TYPE,
  KEY_USAGE,
  BASIC_CONSTRAINTS,
  EXTENDED_KEY_USAGE,
  DISTRIBUTION_POINTS,
  PROXY,
  ALTERNATIVE_NAMES,
  '2.5.29.32', // certificate policies
  '2.5.29.36', // policy constraints
  NAME_CONSTRAINTS,
  '2.5.29.33', // policy mappings
  '2.5.29.54', // inhibit any policy
  IP_BLOCKS,
  AUTONOMOUS_SYSTEMS,
  '1.3.6.1.5.5.7.48.1.5', // OCSP no check
])

/** Extensions that may occur once; OpenSSL refuses a certificate with a duplicate. */
const READ = new Set([...SUPPORTED, SUBJECT_KEY_ID, AUTHORITY_KEY_ID])

const DIGITAL_SIGNATURE = 0x80
const KEY_AGREEMENT = 0x08
const KEY_CERT_SIGN = 0x04
const CRL_SIGN = 0x02
const NETSCAPE_CLIENT = 0x80
const NETSCAPE_SERVER = 0x40
const NETSCAPE_SSL_CA = 0x04
const NETSCAPE_ANY_CA = 0x07

/** Messages use the first name. OpenSSL also accepts the two server gated cryptography purposes for servers. */
const CLIENT_PURPOSES = { clientAuth: '1.3.6.1.5.5.7.3.2' } as const
const SERVER_PURPOSES = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  msSGC: '1.3.6.1.4.1.311.10.3.3',
  nsSGC: '2.16.840.1.113730.4.1',
} as const

interface Extensions {
  basicConstraints: { readonly ca: boolean; readonly pathLength: number } | null
  /** The first byte of the bit string. */
  usage: number | null
  purposes: readonly string[] | null
  netscape: number | null
  keyId: string | null
  authorityKey: AuthorityKeyId | null
  distributionPoints: readonly string[]
  proxy: boolean
  unknownCritical: string | null
  invalid: string | null
}

function readExtensions(der: Uint8Array): Extensions {
  const read: Extensions = {
    ...{ basicConstraints: null, usage: null, purposes: null, netscape: null, keyId: null },
    ...{ authorityKey: null, distributionPoints: [], proxy: false, unknownCritical: null, invalid: null },
  }
  const met = new Set<string>()
  for (const extension of extensionsOf(der)) {
    const { oid, critical } = extension
    if (met.has(oid) && READ.has(oid)) read.invalid ??= `its extension ${oid} is duplicated`
    met.add(oid)
    if (critical && !SUPPORTED.has(oid)) read.unknownCritical ??= oid
    try {
      readExtension(read, der, extension)
    } catch {
      read.invalid ??= `its extension ${oid} is malformed`
    }
  }
  return read
}

function readExtension(read: Extensions, der: Uint8Array, extension: Extension): void {
  if (!READ.has(extension.oid)) return
  const node = elementIn(der, extension)
  switch (extension.oid) {
    case BASIC_CONSTRAINTS:
      read.basicConstraints = basicConstraintsOf(der, node)
      return
    case KEY_USAGE:
      read.usage = bitsOf(der, node)
      if (read.usage === 0 && node.to - node.from < 3) throw new RangeError('empty key usage')
      return
    case EXTENDED_KEY_USAGE:
      read.purposes = childrenOf(der, expectTag(der, node, SEQUENCE)).map((purpose) => oidOf(der, purpose))
      return
    case NETSCAPE_TYPE:
      read.netscape = bitsOf(der, node)
      return
    case SUBJECT_KEY_ID:
      read.keyId = base64Of(der, expectTag(der, node, OCTET_STRING))
      return
    case AUTHORITY_KEY_ID:
      read.authorityKey = authorityKeyIdOf(der, node)
      return
    case DISTRIBUTION_POINTS:
      read.distributionPoints = childrenOf(der, expectTag(der, node, SEQUENCE)).flatMap((point) =>
        fullNamesOf(der, childrenOf(der, point)[0]),
      )
      return
    case ALTERNATIVE_NAMES:
      assertGeneralNames(der, node)
      return
    case NAME_CONSTRAINTS:
      assertNameConstraints(der, node)
      return
    case IP_BLOCKS:
    case AUTONOMOUS_SYSTEMS:
      expectTag(der, node, SEQUENCE)
      return
    case PROXY:
      read.proxy = true
  }
}

/** BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL }. */
function basicConstraintsOf(der: Uint8Array, node: DerNode): { ca: boolean; pathLength: number } {
  const fields = childrenOf(der, expectTag(der, node, SEQUENCE))
  const ca = fields[0]?.tag === BOOLEAN ? (fields.shift() as DerNode) : null
  const [pathLength, more] = fields
  if (more || (pathLength && (pathLength.tag !== INTEGER || (der[pathLength.from] as number) & 0x80))) {
    throw new RangeError('not basic constraints')
  }
  // A limit of more than one byte exceeds OpenSSL's maximum chain length.
  const isShort = pathLength !== undefined && pathLength.to - pathLength.from === 1
  return {
    ca: ca !== null && der[ca.from] !== 0,
    pathLength: isShort ? (der[pathLength.from] as number) : UNLIMITED,
  }
}

/**
 * The GeneralNames of a DistributionPointName, each as DER in base64: DistributionPoint and IssuingDistributionPoint begin
 * with `[0] { fullName [0] GeneralNames, nameRelativeToCRLIssuer [1] ... }`.
 */
export function fullNamesOf(der: Uint8Array, point: DerNode | undefined): string[] {
  if (point?.tag !== CONTEXT_0) return []
  return childrenOf(der, point)
    .filter(({ tag }) => tag === CONTEXT_0)
    .flatMap((names) => childrenOf(der, names).map((name) => `${name.tag} ${base64Of(der, name)}`))
}

/** `check_ca`: key usage first, then basic constraints, then the older mechanisms. */
function caOf({ usage, basicConstraints, netscape }: Extensions, isVersion1Root: boolean): Issuer['ca'] {
  if (!allows(usage, KEY_CERT_SIGN)) return null
  if (basicConstraints) return basicConstraints.ca ? 'ca' : null
  if (isVersion1Root) return 'version 1'
  if (usage !== null) return 'key usage'
  return netscape !== null && (netscape & NETSCAPE_ANY_CA) !== 0 ? 'Netscape type' : null
}

/** @param wanted acceptable purposes by name; one is enough. */
function flawOf(
  { unknownCritical, purposes, netscape, basicConstraints, usage, proxy }: Extensions,
  wanted: Readonly<Record<string, string>>,
): string | null {
  if (unknownCritical !== null) return `its critical extension ${unknownCritical} is unknown to OpenSSL`
  if (purposes && !Object.values(wanted).some((one) => purposes.includes(one)))
    return `its extended key usage lacks ${Object.keys(wanted)[0]}`
  if (proxy) return 'it is a proxy certificate'
  const byType =
    !basicConstraints && usage === null && netscape !== null && (netscape & NETSCAPE_ANY_CA) !== 0
  return byType && (netscape & NETSCAPE_SSL_CA) === 0 ? 'its Netscape type is not for TLS' : null
}

function ownFlawOf({ usage, netscape }: Extensions): string | null {
  if (usage !== null && (usage & (DIGITAL_SIGNATURE | KEY_AGREEMENT)) === 0) {
    return 'its key usage is not for TLS'
  }
  return netscape !== null && (netscape & NETSCAPE_CLIENT) === 0
    ? 'its Netscape type is not for clients'
    : null
}

/**
 * TLS 1.3 and all ECDHE suites sign with the server's key. OpenSSL accepts RSA certificates with only keyEncipherment
 * (`check_purpose_ssl_server`); GnuTLS and BoringSSL refuse them. With EC, OpenSSL finds no shared cipher in TLS 1.2.
 * OpenSSL does not accept anyExtendedKeyUsage for serverAuth (`xku_reject`).
 */
function serverLeafFlawOf({ usage, purposes, netscape }: Extensions): string | null {
  if (purposes && !purposes.includes(SERVER_PURPOSES.serverAuth)) {
    return purposes.includes(ANY_PURPOSE)
      ? 'its extended key usage has anyExtendedKeyUsage without serverAuth, which OpenSSL refuses'
      : 'its extended key usage lacks serverAuth'
  }
  if (!allows(usage, DIGITAL_SIGNATURE)) return 'its key usage lacks digitalSignature'
  return netscape !== null && (netscape & NETSCAPE_SERVER) === 0
    ? 'its Netscape type (nsCertType) lacks server'
    : null
}

/** An absent bit string allows everything. */
function allows(usage: number | null, bit: number): boolean {
  return usage === null || (usage & bit) !== 0
}

/** The first eight bits. */
function bitsOf(der: Uint8Array, node: DerNode): number {
  const [unused, bits = 0] = contentOf(der, expectTag(der, node, BIT_STRING))
  if (unused === undefined) throw new RangeError('not a bit string')
  return bits
}
