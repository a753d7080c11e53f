import { generateKeyPairSync, randomBytes } from 'node:crypto'

import type { Leaf, LeafOptions } from '../../../support/material/certificates.js'
import { constructed, octets, oid, sequence, set } from '../../../support/material/der.js'
import { derOf } from '../../../support/material/pem-text.js'
import { pkcs7 } from '../../../support/material/pkcs7.js'
import {
  authenticatedSafe,
  certificateBag,
  type Pkcs12Options,
  pkcs12,
  safeBag,
  withoutMac,
} from '../../../support/material/pkcs12.js'
import type { AcceptedRow, Group, RefusedRow } from '../corpus.js'
import { intermediate, root, type Site } from '../site.js'

const PASSPHRASE = 'Brombeerstrauch~88~Öse'

const X25519 = generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'der' })
const LONELY = generateKeyPairSync('ed25519').privateKey

const BAG = '1.2.840.113549.1.12.10.1'
const keyBag = (pkcs8: Buffer) => safeBag(`${BAG}.1`, pkcs8)
/** The attribute that Java gives to an entry without a key; the value is "for any purpose". */
const trusted = () => sequence(oid('2.16.840.1.113894.746875.1.1'), set(oid('2.5.29.37.0')))

/** Bags other than keys and certificates: a revocation list, a secret, an SDSI certificate, and an unknown kind. */
function otherBags(): Buffer[] {
  const list = sequence(oid('1.2.840.113549.1.9.23.1'), constructed(0, octets(derOf(root.crl()))))
  const secret = sequence(oid('1.2.840.113549.1.12.10.1.5'), constructed(0, octets(randomBytes(24))))
  const sdsi = sequence(oid('1.2.840.113549.1.9.22.2'), constructed(0, octets(randomBytes(40))))
  return [
    safeBag(`${BAG}.4`, list),
    safeBag(`${BAG}.5`, secret),
    safeBag(`${BAG}.3`, sdsi),
    safeBag(`${BAG}.99`, octets(randomBytes(8))),
  ]
}

/** Its certificate is first, and its key last. */
function secondPair(): Partial<Pkcs12Options> {
  const second = intermediate.issue()
  const key = second.privateKey.export({ type: 'pkcs8', format: 'der' })
  return { extra: [certificateBag(second.certDer)], extraKeys: [keyBag(key)] }
}

/** PKCS#12 files with a passphrase. */
export const pkcs12File: Group = {
  title: 'a PKCS#12 file with a passphrase',
  options: (site) => ({ pfx: site.path('tls.p12'), passphrase: PASSPHRASE, policy: { pairGraceSeconds: 0 } }),
  right: (site) => write(site, site.leaf()),
  rows: [
    form('a friendly name', { friendlyName: 'Prüfling' }),
    form('100,000 iterations', { iterations: 100_000 }),
    form('an RSA key', {}, { keyType: 'rsa-2048' }),
    form('an Ed25519 key', {}, { keyType: 'ed25519' }),
    form('with the root', { chain: [intermediate, root] }),
    form('the same intermediate twice', { chain: [intermediate, intermediate] }),
    form('root before intermediate', { chain: [root, intermediate] }, {}, ['CHAIN_ORDER']),
    form('a certificate of another chain', { chain: [intermediate, root.issueAuthority()] }, {}, [
      'CHAIN_ORDER',
    ]),
    form('only the leaf', { chain: [] }, {}, ['CHAIN_INCOMPLETE']),
    {
      ...form('no encryption and no MAC, for any passphrase', { algorithm: 'none' }, {}, ['PFX_INVALID']),
      at: 'tls.p12',
    },
    form('with a revocation list, a secret, another kind of certificate and an unknown bag', {
      extra: otherBags(),
    }),
    {
      ...form('with a second pair', secondPair(), {}, ['CHAIN_ORDER']),
      ...{ at: 'tls.p12', listed: true },
    },
    form('a key that is not for TLS beside the right one', { extra: [keyBag(X25519)] }),
    { ...no('nothing', 'PFX_INVALID', () => ''), message: /tls\.p12 is empty: / },
    { ...no('zeros', 'PFX_INVALID', () => Buffer.alloc(900)), message: /tls\.p12 holds only NUL bytes: / },
    no('random bytes', 'PFX_INVALID', () => randomBytes(2000), 'PFX_INVALID'),
    {
      ...no('PEM', 'PFX_INVALID', ({ chainPem, keyPem }) => chainPem + keyPem),
      message:
        /is PEM, not PKCS#12; use the options "cert" and "key", or convert it with: openssl pkcs12 -export -in /,
    },
    {
      ...no('a certificate in DER', 'PFX_INVALID', ({ certDer }) => certDer),
      message: /is a certificate in DER, not PKCS#12; /,
    },
    {
      ...no('PKCS#7', 'PFX_INVALID', ({ certDer }) => pkcs7([{ certDer }])),
      message: /is PKCS#7 in DER, not PKCS#12; /,
    },
    {
      ...no('its base64', 'PFX_INVALID', (leaf) => pfx(leaf).toString('base64')),
      message: /is base64 text, not PKCS#12; decode it with: base64 -d \S+ > NEW\.p12$/,
    },
    {
      ...no('a Java keystore', 'PFX_INVALID', () => Buffer.from('feedfeed0000000200000001', 'hex')),
      message: /is a Java keystore \(JKS\), not PKCS#12; convert it with: keytool -importkeystore /,
    },
    no('the first half', 'PFX_INVALID', (leaf) => pfx(leaf).subarray(0, 700)),
    no('all but its last byte', 'PFX_INVALID', (leaf) => pfx(leaf).subarray(0, -1)),
    no('another passphrase', 'KEY_PASSPHRASE_WRONG', (leaf) =>
      pkcs12({ leaf, passphrase: 'Kirschkern%12%Ähre' }),
    ),
    {
      ...no('another passphrase and no MAC', 'KEY_PASSPHRASE_WRONG', (leaf) =>
        withoutMac(authenticatedSafe({ leaf, passphrase: 'Kirschkern%12%Ähre' })),
      ),
      message: /does not open \S+, or the file is damaged \(it has no MAC to check\)/,
    },
    {
      ...no('no key', 'PFX_INVALID', (leaf) => pfx(leaf, { keyless: true })),
      message: /holds a certificate and no private key; write both into it: openssl pkcs12 -export /,
    },
    {
      ...no('no certificate', 'PFX_INVALID', (leaf) => pfx(leaf, { bare: true })),
      message: /holds a private key and no certificate; add the certificate: openssl pkcs12 -in /,
    },
    {
      ...no('neither a certificate nor a key', 'PFX_INVALID', (leaf) =>
        pfx(leaf, { bare: true, keyless: true }),
      ),
      message: /holds neither a certificate nor a private key; /,
    },
    {
      ...no('CAs alone', 'PFX_INVALID', () => pfx({ ...root, privateKey: LONELY }, { keyless: true })),
      message:
        /is a truststore: .* for the option "ca", convert it with: openssl pkcs12 -in \S+ -nokeys -out CA\.pem/,
    },
    {
      ...no('a certificate that Java trusts', 'PFX_INVALID', (leaf) =>
        pfx(leaf, { keyless: true, extra: [certificateBag(leaf.certDer, [trusted()])] }),
      ),
      message: /is a truststore: /,
    },
    no('the key of another certificate', 'CERT_KEY_MISMATCH', (leaf, site) =>
      pfx({ ...leaf, privateKey: site.leaf().privateKey }),
    ),
    {
      ...no('outdated encryption', 'PFX_INVALID', (leaf) => pfx(leaf, { outdated: true })),
      message:
        /it is encrypted with rc2-40-cbc, which OpenSSL 3 has only in its legacy provider; write it again with: openssl pkcs12 -legacy -in /,
    },
    {
      ...no('an expired certificate', 'CERT_EXPIRED', (_, site) => pfx(site.leaf(LONG_GONE))),
      forcible: true,
    },
    {
      ...no('the chain of another leaf', 'CHAIN_INCOMPLETE', (leaf) =>
        pfx(leaf, { chain: [root.issueAuthority()] }),
      ),
      forcible: true,
    },
  ],
}

const LONG_GONE = { notBefore: new Date('2019-01-31'), notAfter: new Date('2020-01-31') }

/** PKCS#12 files without a configured passphrase. */
export const openPkcs12File: Group = {
  title: 'a PKCS#12 file without a passphrase',
  options: (site) => ({ pfx: site.path('tls.p12') }),
  right: (site) => write(site, site.leaf(), { passphrase: '', algorithm: 'none' }),
  rows: [
    form('an empty passphrase', { passphrase: '' }),
    form('an RSA key', { algorithm: 'none' }, { keyType: 'rsa-2048' }),
    no('a passphrase is needed', 'KEY_PASSPHRASE_REQUIRED', (leaf) => pfx(leaf)),
    no('the first half', 'PFX_INVALID', (leaf) => pfx(leaf, { algorithm: 'none' }).subarray(0, 700)),
  ],
}

function pfx(leaf: Leaf, options: Partial<Pkcs12Options> = {}): Buffer {
  return pkcs12({ leaf, chain: [intermediate], passphrase: PASSPHRASE, ...options })
}

function write(site: Site, leaf: Leaf, options: Partial<Pkcs12Options> = {}): Leaf {
  site.secrets.add('passphrase', PASSPHRASE)
  site.write('tls.p12', pfx(leaf, options))
  return leaf
}

function form(
  id: string,
  options: Partial<Pkcs12Options>,
  leafOptions: LeafOptions = {},
  warns: AcceptedRow['warns'] = [],
): AcceptedRow {
  return { id, accepted: (site) => write(site, site.leaf(leafOptions), options), warns }
}

function no(
  id: string,
  refused: RefusedRow['refused'],
  content: (leaf: Leaf, site: Site) => string | Uint8Array,
  example?: RefusedRow['example'],
): RefusedRow {
  return {
    id,
    spoil(site) {
      site.secrets.add('passphrase', PASSPHRASE)
      site.write('tls.p12', content(site.leaf(), site))
    },
    refused,
    at: 'tls.p12',
    ...(example ? { example } : {}),
  }
}
