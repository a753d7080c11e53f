import { generateKeyPairSync, randomBytes } from 'node:crypto'

import type { Leaf, LeafOptions } from '../../../support/material/certificates.js'
import { integer, nothing, octets, oid, pem, sequence } from '../../../support/material/der.js'
import { csr, encryptedPkcs8, publicKeyPem, traditionalKey } from '../../../support/material/key-forms.js'
import { cutAt, derOf, patched, utf32 } from '../../../support/material/pem-text.js'
import type { AcceptedRow, Group, RefusedRow } from '../corpus.js'
import { pairOptions, rightPair, type Site } from '../site.js'

const RSA: LeafOptions = { keyType: 'rsa-2048' }

/** A valid key that cannot be used does not prevent the service of the one that matches the certificate. */
function besides(
  id: string,
  other: (site: Site) => string,
  warns: NonNullable<AcceptedRow['warns']>,
): AcceptedRow[] {
  const places: [string, (own: string, other: string) => string][] = [
    ['behind it', (own, more) => own + more],
    ['before it', (own, more) => more + own],
  ]
  return places.map(([place, join]) => ({
    ...form(`its key, and ${id} ${place}`, ({ keyPem }, site) => join(keyPem, other(site))),
    ...{ warns, at: 'tls.key', listed: true },
  }))
}

/** Forms of key files that occur in practice. */
export const keyForms: Group = {
  title: 'a key file in one of its many forms',
  options: pairOptions,
  right: rightPair,
  rows: [
    form('a traditional EC key', (leaf) => traditionalKey(leaf)),
    form(
      'its parameters before it, as `openssl ecparam -genkey` writes them',
      (leaf) => EC_PARAMETERS + traditionalKey(leaf),
    ),
    form('an RSA key', ({ keyPem }) => keyPem, RSA),
    form('a traditional RSA key', (leaf) => traditionalKey(leaf), RSA),
    form('an RSA-PSS key', ({ keyPem }) => keyPem, { keyType: 'rsa-pss' }),
    form('an EC key on P-384', ({ keyPem }) => keyPem, { keyType: 'ec-p384' }),
    form('an Ed25519 key', ({ keyPem }) => keyPem, { keyType: 'ed25519' }),
    ...besides('an encrypted one', (site) => encryptedPkcs8(site.leaf(), PASSPHRASE), [
      'KEY_PASSPHRASE_REQUIRED',
    ]),
    ...besides('a traditional encrypted one', (site) => traditionalKey(site.leaf(), PASSPHRASE), [
      'KEY_PASSPHRASE_REQUIRED',
    ]),
    ...besides('one that cannot sign', () => unsigningKey(), ['KEY_UNSUPPORTED']),
    form('lines that end in CRLF', ({ keyPem }) => keyPem.replaceAll('\n', '\r\n')),
    form('a UTF-8 byte order mark', ({ keyPem }) => `\ufeff${keyPem}`),
    form('spaces before each line', ({ keyPem }) => keyPem.replaceAll(/^/gm, '  ')),
    form(
      'bag attributes before it, as `openssl pkcs12` writes them',
      ({ keyPem }) => BAG_ATTRIBUTES + keyPem,
    ),
    form('its certificate before it', ({ certPem, keyPem }) => certPem + keyPem),
    form('another key before it', ({ keyPem }, site) => site.leaf().keyPem + keyPem),
    form('another key of another type before it', ({ keyPem }, site) => site.leaf(RSA).keyPem + keyPem),
    {
      id: 'a key that every user may read',
      accepted(site) {
        const leaf = rightPair(site)
        site.write('tls.key', leaf.keyPem, 0o644)
        return leaf
      },
      warns: ['KEY_PERMISSIONS'],
      at: 'tls.key',
      example: 'KEY_PERMISSIONS',
    },
  ],
}

const EC_PARAMETERS = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
const BAG_ATTRIBUTES = `Bag Attributes
    friendlyName: localhost
    localKeyID: 54 69 6D 65 20 31 36
Key Attributes: <No Attributes>
`

/** Files without a private key, or with one that cannot be opened, without a configured passphrase. */
export const keyDamage: Group = {
  title: 'a key file without a key, or with a damaged one',
  options: pairOptions,
  right: rightPair,
  rows: [
    { ...no('nothing', 'KEY_MISSING', () => ''), message: /tls\.key is empty: / },
    { ...no('blank lines', 'KEY_MISSING', () => '\n\n'), message: /tls\.key holds only white space: / },
    { ...no('zeros', 'KEY_MISSING', () => Buffer.alloc(300)), message: /tls\.key holds only NUL bytes: / },
    no('the certificate', 'KEY_MISSING', ({ chainPem }) => chainPem, 'KEY_MISSING'),
    no('a public key', 'KEY_MISSING', (leaf) => publicKeyPem(leaf)),
    no('a certificate request', 'KEY_MISSING', (leaf) => csr(leaf)),
    no('parameters alone', 'KEY_MISSING', () => EC_PARAMETERS),
    {
      ...no('DER, with the conversion command in the message', 'PEM_INVALID', ({ keyPem }) => derOf(keyPem)),
      message: /openssl pkey -inform der -in \S+tls\.key -out /,
    },
    {
      ...no('short DER', 'PEM_INVALID', ({ keyPem }) => derOf(keyPem), undefined, { keyType: 'ed25519' }),
      message: /openssl pkey -inform der /,
    },
    no('UTF-16', 'PEM_INVALID', ({ keyPem }) => Buffer.from(`\ufeff${keyPem}`, 'utf16le')),
    no('the first half', 'PEM_INVALID', ({ keyPem }) => cutAt(keyPem, 0.5)),
    no('all but its last line', 'PEM_INVALID', ({ keyPem }) => keyPem.replace(/-----END.*\n/, '')),
    no('base64 that is not a key', 'KEY_INVALID', () => pem('PRIVATE KEY', randomBytes(138)), 'KEY_INVALID'),
    no('a key whose DER is truncated', 'KEY_INVALID', ({ keyPem }) =>
      pem('PRIVATE KEY', derOf(keyPem).subarray(0, 60)),
    ),
    no('a key of a curve that does not exist', 'KEY_UNSUPPORTED', ({ keyPem }) =>
      pem('PRIVATE KEY', flipped(derOf(keyPem), 24)),
    ),
    no(
      'a key on a curve that some versions of Node cannot print',
      'KEY_UNSUPPORTED',
      () => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
        return privateKey.export({ type: 'pkcs8', format: 'pem' })
      },
      'KEY_UNSUPPORTED',
    ),
    no('a key that cannot sign', 'KEY_UNSUPPORTED', () => unsigningKey()),
    no(
      'an encrypted key after the key of another certificate',
      'KEY_PASSPHRASE_REQUIRED',
      (leaf, site) => site.leaf().keyPem + encryptedPkcs8(leaf, PASSPHRASE),
    ),
    no(
      'a truncated key after its own key',
      'KEY_INVALID',
      (leaf) => leaf.keyPem + pem('PRIVATE KEY', derOf(leaf.keyPem).subarray(0, 60)),
    ),
    no('an EC key with a damaged private half and a valid public half', 'KEY_INVALID', ({ keyPem }) =>
      pem('PRIVATE KEY', flipped(derOf(keyPem), 46)),
    ),
    {
      ...no("OpenSSH's own form", 'KEY_INVALID', () =>
        pem('OPENSSH PRIVATE KEY', Buffer.from('openssh-key-v1\0')),
      ),
      message:
        /in OpenSSH's format, which TLS does not use; convert it in place with: ssh-keygen -p -m PKCS8 -f /,
    },
    {
      ...no('UTF-32', 'PEM_INVALID', ({ keyPem }) => utf32(`\ufeff${keyPem}`, 'utf32be')),
      message: /is UTF-32 text; /,
    },
    no(
      'an encrypted key',
      'KEY_PASSPHRASE_REQUIRED',
      (leaf) => encryptedPkcs8(leaf, PASSPHRASE),
      'KEY_PASSPHRASE_REQUIRED',
    ),
    no('a traditional encrypted key', 'KEY_PASSPHRASE_REQUIRED', (leaf) => traditionalKey(leaf, PASSPHRASE)),
    no(
      'the key of another certificate',
      'CERT_KEY_MISMATCH',
      (_, site) => site.leaf().keyPem,
      'CERT_KEY_MISMATCH',
    ),
    no(
      'an RSA key, while the certificate has an EC key',
      'CERT_KEY_MISMATCH',
      (_, site) => site.leaf(RSA).keyPem,
    ),
    no(
      'an EC key, while the certificate has an RSA key',
      'CERT_KEY_MISMATCH',
      (_, site) => site.leaf().keyPem,
      undefined,
      RSA,
    ),
    no(
      'an EC key on another curve',
      'CERT_KEY_MISMATCH',
      (_, site) => site.leaf({ keyType: 'ec-p384' }).keyPem,
    ),
    no(
      'two keys of other certificates',
      'CERT_KEY_MISMATCH',
      (_, site) => site.leaf().keyPem + site.leaf().keyPem,
    ),
    no(
      'a matching key after a damaged one',
      'KEY_INVALID',
      ({ keyPem }) => pem('PRIVATE KEY', randomBytes(138)) + keyPem,
    ),
  ],
}

/** The parameters of DES under MD5. */
const OUTDATED = sequence(
  sequence(oid('1.2.840.113549.1.5.3'), sequence(octets(randomBytes(8)), integer(1000))),
  octets(randomBytes(64)),
)

function unsigningKey(): string {
  const { privateKey } = generateKeyPairSync('x25519')
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function flipped(der: Buffer, at: number): Buffer {
  der[at] = (der[at] ?? 0) ^ 1
  return der
}

/** The engine waits for the rest of an incomplete renewal. */
export const halfRenewed: Group = {
  title: 'one half of a renewal',
  options: (site) => ({ ...pairOptions(site), policy: {} }),
  right: rightPair,
  rows: [
    {
      id: 'the certificate is new and the key old',
      spoil: (site) => site.write('tls.crt', site.leaf().chainPem),
      refused: 'CERT_KEY_MISMATCH',
      outcome: 'waiting-for-pair',
      at: 'tls.crt',
    },
    {
      id: 'the key is new and the certificate old',
      spoil: (site) => site.write('tls.key', site.leaf().keyPem),
      refused: 'CERT_KEY_MISMATCH',
      outcome: 'waiting-for-pair',
      at: 'tls.crt',
    },
    {
      id: 'the certificate has another key type',
      spoil: (site) => site.write('tls.crt', site.leaf(RSA).chainPem),
      refused: 'CERT_KEY_MISMATCH',
      outcome: 'waiting-for-pair',
      at: 'tls.crt',
    },
  ],
}

const PASSPHRASE = 'Wolkenkrätzer-17-Zitrönchen'

/** Encrypted keys, with a passphrase in a file. */
export const passphraseFile: Group = {
  title: 'an encrypted key whose passphrase is in a file',
  options: (site) => ({ ...pairOptions(site), passphrase: { file: site.path('passphrase') } }),
  right: (site) => encryptedPair(site),
  rows: [
    opens('PBKDF2 with 600,000 iterations', (site, leaf) =>
      site.write('tls.key', encryptedPkcs8(leaf, PASSPHRASE, { iterations: 600_000 })),
    ),
    opens('scrypt', (site, leaf) =>
      site.write('tls.key', encryptedPkcs8(leaf, PASSPHRASE, { kdf: 'scrypt' })),
    ),
    opens('the traditional encryption', (site, leaf) =>
      site.write('tls.key', traditionalKey(leaf, PASSPHRASE)),
    ),
    opens('no encryption at all', (site, leaf) => site.write('tls.key', leaf.keyPem)),
    opens('an RSA key', (site, leaf) => site.write('tls.key', encryptedPkcs8(leaf, PASSPHRASE)), RSA),
    {
      ...opens('its key, and one with another passphrase before it', (site, leaf) =>
        site.write('tls.key', encryptedPkcs8(site.leaf(), OTHER) + encryptedPkcs8(leaf, PASSPHRASE)),
      ),
      ...{ warns: ['KEY_PASSPHRASE_WRONG'], at: 'tls.key', listed: true },
    },
    {
      ...opens('its key, and one with outdated encryption after it', (site, leaf) =>
        site.write('tls.key', encryptedPkcs8(leaf, PASSPHRASE) + pem('ENCRYPTED PRIVATE KEY', OUTDATED)),
      ),
      ...{ warns: ['KEY_INVALID'], at: 'tls.key', listed: true },
    },
    opens('a passphrase without a final newline', (site) => site.write('passphrase', PASSPHRASE)),
    opens('a passphrase with a final CRLF', (site) => site.write('passphrase', `${PASSPHRASE}\r\n`)),
    opens('a changed passphrase, which is read again', (site, leaf) => {
      site.write('tls.key', encryptedPkcs8(leaf, OTHER))
      site.write('passphrase', `${OTHER}\n`)
    }),
    opens('a passphrase that ends with a space', (site, leaf) => {
      site.write('tls.key', encryptedPkcs8(leaf, `${OTHER} `))
      site.write('passphrase', `${OTHER} \n`)
    }),
    closed(
      'another passphrase in the file',
      'KEY_PASSPHRASE_WRONG',
      (site) => site.write('passphrase', `${OTHER}\n`),
      'KEY_PASSPHRASE_WRONG',
    ),
    closed('a space after the passphrase', 'KEY_PASSPHRASE_WRONG', (site) =>
      site.write('passphrase', `${PASSPHRASE} \n`),
    ),
    closed('two newlines after the passphrase', 'KEY_PASSPHRASE_WRONG', (site) =>
      site.write('passphrase', `${PASSPHRASE}\n\n`),
    ),
    {
      ...closed('an empty passphrase file', 'KEY_PASSPHRASE_WRONG', (site) => site.write('passphrase', '')),
      at: 'passphrase',
      message: /: the passphrase file \S+passphrase is empty: /,
    },
    {
      ...closed('a passphrase file of zeros', 'KEY_PASSPHRASE_WRONG', (site) =>
        site.write('passphrase', Buffer.alloc(20)),
      ),
      at: 'passphrase',
      message: /: the passphrase file \S+passphrase holds only NUL bytes: /,
    },
    closed('a wrong passphrase for the traditional encryption', 'KEY_PASSPHRASE_WRONG', (site, leaf) =>
      site.write('tls.key', traditionalKey(leaf, OTHER)),
    ),
    {
      ...closed('a missing passphrase file', 'FILE_NOT_FOUND', (site) => site.remove('passphrase')),
      at: 'passphrase',
    },
    closed('two billion iterations, which would never end', 'KEY_INVALID', (site) =>
      site.write('tls.key', pem('ENCRYPTED PRIVATE KEY', endless())),
    ),
    closed('scrypt with more memory than OpenSSL allows', 'KEY_INVALID', (site, leaf) =>
      site.write('tls.key', encryptedPkcs8(leaf, PASSPHRASE, { kdf: 'scrypt', cost: 65_536 })),
    ),
    {
      ...closed('an outdated encryption', 'KEY_INVALID', (site) =>
        site.write('tls.key', pem('ENCRYPTED PRIVATE KEY', OUTDATED)),
      ),
      message:
        /it is encrypted with des-cbc, which OpenSSL 3 has only in its legacy provider; write it again with: openssl pkcs8 -topk8 -provider legacy /,
    },
    closed('an encryption that does not exist', 'KEY_INVALID', (site, leaf) => {
      const unknown = Buffer.from('60864801650304017f', 'hex')
      site.write('tls.key', patched(encryptedPkcs8(leaf, PASSPHRASE), AES_256_CBC, unknown))
    }),
    closed(
      'another key, encrypted with the same passphrase',
      'CERT_KEY_MISMATCH',
      (site) => site.write('tls.key', encryptedPkcs8(site.leaf(), PASSPHRASE)),
      undefined,
      'tls.crt',
    ),
  ],
}

const OTHER = 'Quittengelée#42-Hyäne'
const AES_256_CBC = Buffer.from('60864801650304012a', 'hex')

/** A key that would keep a processor busy for minutes. */
function endless(): Buffer {
  const hash = sequence(oid('1.2.840.113549.2.9'), nothing())
  const kdf = sequence(
    oid('1.2.840.113549.1.5.12'),
    sequence(octets(randomBytes(16)), integer(2_000_000_000), hash),
  )
  const cipher = sequence(oid('2.16.840.1.101.3.4.1.42'), octets(randomBytes(16)))
  const scheme = sequence(oid('1.2.840.113549.1.5.13'), sequence(kdf, cipher))
  return sequence(scheme, octets(randomBytes(160)))
}

function form(id: string, write: (leaf: Leaf, site: Site) => string, options?: LeafOptions): AcceptedRow {
  return {
    id,
    accepted(site) {
      const leaf = site.pair(site.leaf(options))
      site.write('tls.key', write(leaf, site))
      return leaf
    },
  }
}

function no(
  id: string,
  refused:
    | 'PEM_INVALID'
    | 'KEY_MISSING'
    | 'KEY_INVALID'
    | 'KEY_UNSUPPORTED'
    | 'KEY_PASSPHRASE_REQUIRED'
    | 'CERT_KEY_MISMATCH',
  write: (leaf: Leaf, site: Site) => string | Uint8Array,
  example?: RefusedRow['example'],
  options?: LeafOptions,
): RefusedRow {
  return {
    id,
    spoil(site) {
      const leaf = site.pair(site.leaf(options))
      site.write('tls.key', write(leaf, site))
    },
    refused,
    // A mismatch is reported for the certificate, and names the key in its message.
    at: refused === 'CERT_KEY_MISMATCH' ? 'tls.crt' : 'tls.key',
    ...(example ? { example } : {}),
  }
}

function encryptedPair(site: Site, options?: LeafOptions): Leaf {
  const leaf = site.pair(site.leaf(options))
  site.secrets.add('passphrase', PASSPHRASE)
  site.secrets.add('other passphrase', OTHER)
  site.write('tls.key', encryptedPkcs8(leaf, PASSPHRASE))
  site.write('passphrase', `${PASSPHRASE}\n`)
  return leaf
}

function opens(id: string, write: (site: Site, leaf: Leaf) => void, options?: LeafOptions): AcceptedRow {
  return {
    id,
    accepted(site) {
      const leaf = encryptedPair(site, options)
      write(site, leaf)
      return leaf
    },
  }
}

function closed(
  id: string,
  refused: RefusedRow['refused'],
  write: (site: Site, leaf: Leaf) => void,
  example?: RefusedRow['example'],
  at = 'tls.key',
): RefusedRow {
  return {
    id,
    spoil(site) {
      write(site, encryptedPair(site))
    },
    refused,
    at,
    ...(example ? { example } : {}),
  }
}
