import { createPublicKey, ECDH, generateKeyPairSync } from 'node:crypto'

import type { Leaf } from '../../../support/material/certificates.js'
import { bits, oid, pem, sequence } from '../../../support/material/der.js'
import {
  basicConstraints,
  extension,
  keyUsage,
  subjectAltName,
} from '../../../support/material/extensions.js'
import { type KeyPair, type KeyType, keyPair, signerOf } from '../../../support/material/keys.js'
import { oddCertificate } from '../../../support/material/odd-certificate.js'
import { fingerprint256, publicKeyInfo } from '../../../support/material/x509.js'
import type { Group, RefusedRow } from '../corpus.js'
import { intermediate, pairOptions, rightPair, root, type Site } from '../site.js'

const NAMES = subjectAltName({ names: ['localhost'] }, false)
const NO_SIGNATURE = keyUsage('keyEncipherment')
const FOR_ANY_PURPOSE = extension('2.5.29.37', sequence(oid('2.5.29.37.0')))
const FOR_CLIENTS = extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.2')))
const NETSCAPE_CLIENT = extension('2.16.840.1.113730.1.1', bits(Buffer.from([0x80]), 7))

/** The purposes in a certificate, and the encoding of its key. */
export const purposes: Group = {
  title: 'a certificate with an unusual purpose or form',
  options: pairOptions,
  right: rightPair,
  rows: [
    ...(['rsa-2048', 'ec', 'ed25519'] as const).map((type) =>
      no(`${type} without digitalSignature`, [NO_SIGNATURE], /key usage lacks digitalSignature/, {
        type,
        // In this case OpenSSL itself serves TLS 1.2 only with RSA.
        forcible: type === 'rsa-2048',
      }),
    ),
    no('anyExtendedKeyUsage alone', [FOR_ANY_PURPOSE], /has anyExtendedKeyUsage without serverAuth/),
    no('a Netscape type for clients only', [NETSCAPE_CLIENT], /nsCertType\) lacks server/),
    {
      id: 'an intermediate for clients only',
      spoil(site) {
        const issuer = authority('Corpus Client Intermediate', [basicConstraints(true), FOR_CLIENTS])
        site.pair(odd(site, { extensions: [], issuer }))
      },
      refused: 'CERT_PURPOSE',
      at: 'tls.crt',
      message: /CN=Corpus Client Intermediate .*its extended key usage lacks serverAuth/,
      forcible: true,
    },
    {
      id: 'an intermediate whose key usage is not for certificates',
      spoil(site) {
        site.pair(
          odd(site, { extensions: [], issuer: authority('Corpus Usage Intermediate', [NO_SIGNATURE]) }),
        )
      },
      refused: 'CHAIN_INCOMPLETE',
      at: 'tls.crt',
      message:
        /was signed by CN=Corpus Usage Intermediate, whose key usage lacks keyCertSign: clients refuse it/,
      forcible: true,
    },
    ...Object.entries({
      'for clients only': [[basicConstraints(true), FOR_CLIENTS], /its extended key usage lacks serverAuth/],
      'for any purpose': [
        [basicConstraints(true), FOR_ANY_PURPOSE],
        /its extended key usage lacks serverAuth/,
      ],
      'that is not a CA': [[basicConstraints(false)], /it is not a CA certificate/],
    } as const).map(([what, [extensions, why]]): RefusedRow => {
      return {
        id: `a root ${what}, after the chain`,
        spoil(site) {
          site.pair(odd(site, { extensions: [], issuer: ownRoot(extensions) }))
        },
        refused: 'CERT_PURPOSE',
        at: 'tls.crt',
        message: new RegExp(`CN=Corpus Odd Root in .* may not issue certificates for servers: ${why.source}`),
        forcible: true,
      }
    }),
    {
      id: 'the self-signed certificate of tutorials, with CA:TRUE and without names',
      accepted: (site) => site.pair(tutorial(site)),
      warns: ['CERT_IS_CA', 'NAME_NOT_COVERED', 'NAMES_LOST', 'EXPIRES_EARLIER'],
      at: 'tls.crt',
    },
    {
      id: 'a key that is written as a compressed point',
      accepted: (site) => site.pair(odd(site, { key: compressed(), extensions: [] })),
      warns: ['KEY_ENCODING', 'EXPIRES_EARLIER'],
      at: 'tls.crt',
      example: 'KEY_ENCODING',
    },
    {
      id: 'a self-signed certificate whose key has explicit parameters of the curve P-256',
      accepted: (site) => site.pair(selfSigned(site, writtenOut('P-256'))),
      warns: ['KEY_ENCODING', 'EXPIRES_EARLIER'],
      at: 'tls.crt',
    },
    {
      id: 'the same in a certificate of a CA, which OpenSSL refuses',
      spoil(site) {
        site.pair(odd(site, { key: writtenOut('P-256'), extensions: [] }))
      },
      refused: 'KEY_UNSUPPORTED',
      at: 'tls.crt',
      message:
        /has an EC key whose curve is given by explicit parameters instead of a name, which OpenSSL refuses/,
      forcible: true,
    },
  ],
}

/** The root is among the trust anchors, and not sent. */
export const anchoredPurposes: Group = {
  title: 'a root with an unusual purpose among the trust anchors',
  options(site) {
    site.write('ca.crt', clientRoot.certPem + root.certPem)
    return { ...pairOptions(site), ca: site.path('ca.crt') }
  },
  right: rightPair,
  rows: [
    {
      id: 'a root for clients only that issued the server certificate',
      spoil(site) {
        site.pair(odd(site, { extensions: [], issuer: { ...clientRoot, certPem: '' } }))
      },
      refused: 'CERT_PURPOSE',
      at: 'tls.crt',
      message:
        /CN=Corpus Odd Root, which issued CN=localhost in .* may not issue certificates for servers: its extended key usage lacks serverAuth/,
      forcible: true,
    },
  ],
}

/** A policy that refuses the self-signed certificates of tutorials. */
export const noTutorials: Group = {
  title: 'a self-signed CA certificate that the policy refuses',
  options: (site) => ({ ...pairOptions(site), policy: { selfSignedCa: 'reject' } }),
  right: rightPair,
  rows: [
    {
      id: 'the self-signed certificate of tutorials',
      spoil(site) {
        site.pair(tutorial(site))
      },
      refused: 'CERT_IS_CA',
      at: 'tls.crt',
      forcible: true,
    },
  ],
}

/** A leaf without its chain is intended. */
export const loneLeaf: Group = {
  title: 'a leaf beside unrelated certificates, where the policy allows incomplete chains',
  options: (site) => ({ ...pairOptions(site), policy: { incompleteChain: 'warn' } }),
  right: rightPair,
  rows: [
    {
      id: 'only unrelated certificates beside the leaf',
      accepted(site) {
        const leaf = rightPair(site)
        site.write('tls.crt', leaf.certPem + tutorial(site).certPem)
        return leaf
      },
      warns: ['CHAIN_ORDER', 'CHAIN_INCOMPLETE'],
    },
    {
      id: 'an issuer with the right name and another key',
      spoil(site) {
        const leaf = rightPair(site)
        const other = root.issueAuthority({ name: intermediate.name })
        site.write('tls.crt', leaf.certPem + other.certPem)
      },
      refused: 'CHAIN_INCOMPLETE',
      at: 'tls.crt',
      forcible: true,
    },
  ],
}

interface OddIssuer extends KeyPair {
  readonly name: string
  readonly certPem: string
}

/** An intermediate below the default root, or with `null` a root. */
function authority(name: string, extensions: readonly Buffer[], above: OddIssuer | null = root): OddIssuer {
  const key = keyPair()
  const { name: issuer, privateKey } = above ?? { ...key, name }
  const der = oddCertificate({ key, subject: name, issuer, signer: signerOf(privateKey), extensions })
  return { ...key, name, certPem: pem('CERTIFICATE', der) }
}

function ownRoot(extensions: readonly Buffer[]): OddIssuer {
  return authority('Corpus Odd Root', extensions, null)
}

const clientRoot = ownRoot([basicConstraints(true), FOR_CLIENTS])

interface OddLeaf {
  readonly type?: KeyType
  readonly key?: KeyPair
  readonly extensions: readonly Buffer[]
  readonly issuer?: OddIssuer
}

function odd(site: Site, { type, key = keyPair(type), extensions, issuer = intermediate }: OddLeaf): Leaf {
  return leafOf(
    site,
    key,
    oddCertificate({
      ...{ key, subject: 'localhost', issuer: issuer.name, signer: signerOf(issuer.privateKey) },
      extensions: [...NAMES, ...extensions],
    }),
    issuer.certPem,
  )
}

function selfSigned(site: Site, key: KeyPair): Leaf {
  return leafOf(site, key, oddCertificate({ key, subject: 'localhost', extensions: NAMES }))
}

function tutorial(site: Site): Leaf {
  const key = keyPair('rsa-2048')
  return leafOf(
    site,
    key,
    oddCertificate({ key, subject: 'localhost', extensions: [basicConstraints(true)] }),
  )
}

function leafOf(site: Site, key: KeyPair, certDer: Buffer, issuers = ''): Leaf {
  site.secrets.addKey(key.privateKey)
  const certPem = pem('CERTIFICATE', certDer)
  return {
    ...key,
    ...{ certDer, certPem, chainPem: certPem + issuers, fingerprint256: fingerprint256(certDer) },
    keyPem: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ...{ serial: '', notBefore: new Date(), notAfter: new Date() },
  }
}

/** A pair on P-256 whose public key is exported as a compressed point. */
function compressed(): KeyPair {
  const { privateKey, publicKey } = keyPair('ec')
  const info = publicKeyInfo(publicKey)
  const point = info.subarray(-65)
  const short = ECDH.convertKey(point, 'prime256v1', undefined, undefined, 'compressed') as Buffer
  const algorithm = sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7'))
  const key = sequence(algorithm, bits(short))
  return { privateKey, publicKey: createPublicKey({ key, format: 'der', type: 'spki' }) }
}

/** A pair whose certificate and private key contain the parameters of their curve. */
function writtenOut(namedCurve: string): KeyPair {
  return generateKeyPairSync('ec', { namedCurve, paramEncoding: 'explicit' })
}

function no(
  id: string,
  extensions: readonly Buffer[],
  message: RegExp,
  { type = 'rsa-2048', forcible = true }: { type?: KeyType; forcible?: boolean } = {},
): RefusedRow {
  return {
    id,
    spoil(site) {
      site.pair(odd(site, { type, extensions }))
    },
    refused: 'CERT_PURPOSE',
    at: 'tls.crt',
    message,
    forcible,
  }
}
