import { randomBytes } from 'node:crypto'

import type { Leaf, LeafOptions } from '../../support/certificates.js'
import { type Pkcs12Options, pkcs12 } from '../../support/pkcs12.js'
import type { AcceptedRow, Group, RefusedRow } from '../corpus.js'
import { intermediate, root, type Site } from '../site.js'

const PASSPHRASE = 'Brombeerstrauch~88~Öse'

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
    form('the root in it too', { chain: [intermediate, root] }),
    form('the same intermediate twice', { chain: [intermediate, intermediate] }),
    form('root before intermediate', { chain: [root, intermediate] }, {}, ['CHAIN_ORDER']),
    form('a certificate of another chain', { chain: [intermediate, root.issueAuthority()] }, {}, [
      'CHAIN_ORDER',
    ]),
    form('the leaf alone', { chain: [] }, {}, ['CHAIN_INCOMPLETE']),
    form('no encryption and no MAC, whatever the passphrase', { algorithm: 'none' }),
    { ...no('nothing', 'PFX_INVALID', () => ''), says: /tls\.p12 is empty: / },
    { ...no('zeros', 'PFX_INVALID', () => Buffer.alloc(900)), says: /tls\.p12 holds only NUL bytes: / },
    no('bytes without meaning', 'PFX_INVALID', () => randomBytes(2000), 'PFX_INVALID'),
    no('PEM', 'PFX_INVALID', ({ chainPem, keyPem }) => chainPem + keyPem),
    no('a certificate in DER', 'PFX_INVALID', ({ certDer }) => certDer),
    no('the first half', 'PFX_INVALID', (leaf) => pfx(leaf).subarray(0, 700)),
    no('all but its last byte', 'PFX_INVALID', (leaf) => pfx(leaf).subarray(0, -1)),
    no('another passphrase', 'KEY_PASSPHRASE_WRONG', (leaf) =>
      pkcs12({ leaf, passphrase: 'Kirschkern%12%Ähre' }),
    ),
    no('no key in it', 'PFX_INVALID', (leaf) => pfx(leaf, { keyless: true })),
    no('the key of another certificate', 'CERT_KEY_MISMATCH', (leaf, site) =>
      pfx({ ...leaf, privateKey: site.leaf().privateKey }),
    ),
    no('an encryption of long ago', 'PFX_INVALID', (leaf) => pfx(leaf, { outdated: true })),
    {
      ...no('an expired certificate', 'CERT_EXPIRED', (_, site) => pfx(site.leaf(LONG_GONE))),
      forcible: true,
    },
    {
      ...no('another chain than its own', 'CHAIN_INCOMPLETE', (leaf) =>
        pfx(leaf, { chain: [root.issueAuthority()] }),
      ),
      forcible: true,
    },
  ],
}

const LONG_GONE = { notBefore: new Date('2019-01-31'), notAfter: new Date('2020-01-31') }

/** PKCS#12 files where no passphrase is configured. */
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
