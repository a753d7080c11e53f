import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'

import { handshake } from '../clients/tls-client.js'
import { echoServer } from '../servers/echo-server.js'
import { createAuthority, manyAuthorities, selfSigned } from './certificates.js'
import { csr, encryptedPkcs8, publicKeyPem, traditionalKey } from './key-forms.js'
import type { KeyType, SignatureHash } from './keys.js'
import { pkcs12 } from './pkcs12.js'

const root = createAuthority({ name: 'Test Root' })
const intermediate = root.issueAuthority({ name: 'Test Intermediate', pathLength: 0 })

const keyTypes: KeyType[] = ['ec', 'ec-p384', 'rsa-1024', 'rsa-2048', 'rsa-4096', 'rsa-pss', 'ed25519']
for (const keyType of keyTypes) {
  test(`a leaf with an ${keyType} key serves TLS 1.2 and 1.3 to a client that trusts the root`, async (t) => {
    const leaf = intermediate.issue({ keyType })
    const ciphers = keyType === 'rsa-1024' ? 'DEFAULT@SECLEVEL=0' : undefined
    const port = await echoServer(t, { cert: leaf.chainPem, key: leaf.keyPem, ciphers })
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const result = await handshake({
        port,
        ca: root.certPem,
        minVersion: version,
        maxVersion: version,
        ciphers,
      })
      assert.equal(result.authorizationError, undefined)
      assert.equal(result.protocol, version)
      assert.equal(result.fingerprint256, leaf.fingerprint256)
    }
  })

  test(`an authority with an ${keyType} key makes signatures that Node verifies`, () => {
    const authority = createAuthority({ keyType })
    const certificate = new X509Certificate(authority.issue().certPem)
    assert.equal(certificate.verify(authority.publicKey), true)
    assert.equal(certificate.checkIssued(new X509Certificate(authority.certPem)), true)
  })
}

for (const signatureHash of ['sha1', 'sha256', 'sha384', 'sha512'] satisfies SignatureHash[]) {
  for (const keyType of ['ec', 'rsa-2048', 'rsa-pss'] satisfies KeyType[]) {
    test(`an ${keyType} authority signs with ${signatureHash}`, () => {
      const authority = createAuthority({ keyType })
      const certificate = new X509Certificate(authority.issue({ signatureHash }).certPem)
      assert.equal(certificate.verify(authority.publicKey), true)
    })
  }
}

test('the facts of a leaf are those that Node reads in its certificate', () => {
  const notBefore = new Date('2020-01-02T03:04:05.678Z')
  const notAfter = new Date('2051-06-07T08:09:10.000Z')
  const leaf = intermediate.issue({
    names: ['a.example', '*.b.example'],
    ips: ['192.0.2.1', '2001:db8::5:6'],
    uris: ['spiffe://example/a'],
    commonName: 'Prüfling',
    serial: '0f',
    notBefore,
    notAfter,
  })
  const certificate = new X509Certificate(leaf.certPem)
  assert.equal(certificate.fingerprint256, leaf.fingerprint256)
  assert.equal(certificate.serialNumber, leaf.serial)
  assert.equal(Date.parse(certificate.validFrom), leaf.notBefore.getTime())
  assert.equal(Date.parse(certificate.validTo), notAfter.getTime())
  assert.equal(certificate.subject, 'CN=Prüfling')
  assert.equal(certificate.issuer, 'CN=Test Intermediate')
  assert.equal(certificate.ca, false)
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  assert.equal(
    certificate.subjectAltName,
    'DNS:a.example, DNS:*.b.example, URI:spiffe://example/a, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:5:6',
  )
  assert.equal(certificate.checkPrivateKey(leaf.privateKey), true)
  assert.equal(createPrivateKey(leaf.keyPem).equals(leaf.privateKey), true)
})

test('Node reads the given random serial number', () => {
  for (let count = 0; count < 50; count++) {
    const leaf = root.issue()
    assert.equal(new X509Certificate(leaf.certDer).serialNumber, leaf.serial)
  }
})

test('a leaf may have no subject, no names, or be an authority', () => {
  const nameless = new X509Certificate(root.issue({ names: [], commonName: '' }).certPem)
  assert.equal(nameless.subjectAltName, undefined)
  assert.ok(!nameless.subject)
  assert.equal(new X509Certificate(root.issue({ isCa: true }).certPem).ca, true)
})

test('every leaf has a key of its own unless one is given', () => {
  for (const keyType of ['ec', 'rsa-2048'] satisfies KeyType[]) {
    const first = root.issue({ keyType })
    const second = root.issue({ keyType })
    assert.equal(first.publicKey.equals(second.publicKey), false)
    const renewed = root.issue({ key: first })
    assert.equal(renewed.keyPem, first.keyPem)
    assert.notEqual(renewed.fingerprint256, first.fingerprint256)
  }
})

test('a chain contains every intermediate and omits the root', () => {
  const leaf = root.issueAuthority().issueAuthority().issue()
  const certificates = leaf.chainPem
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .map((pem) => new X509Certificate(pem))
  assert.equal(certificates.length, 3)
  const [first, second, third] = certificates
  assert.ok(first && second && third)
  assert.equal(
    first.verify(second.publicKey) && second.verify(third.publicKey) && third.verify(root.publicKey),
    true,
  )
  assert.equal(root.issue().chainPem.match(/BEGIN/g)?.length, 1)
})

const day = 86_400_000
const refusals = {
  CERT_HAS_EXPIRED: { notBefore: new Date(Date.now() - 2 * day), notAfter: new Date(Date.now() - day) },
  CERT_NOT_YET_VALID: { notBefore: new Date(Date.now() + day) },
  INVALID_PURPOSE: { extendedKeyUsage: 'client' },
  ERR_TLS_CERT_ALTNAME_INVALID: { names: ['other.example'] },
} as const
for (const [code, options] of Object.entries(refusals)) {
  test(`a client reports ${code} for a certificate that is made so`, async (t) => {
    const leaf = intermediate.issue(options)
    const port = await echoServer(t, { cert: leaf.chainPem, key: leaf.keyPem })
    const result = await handshake({ port, ca: root.certPem })
    assert.equal(result.authorizationError, code)
  })
}

test('only a client that trusts a self-signed leaf accepts it', async (t) => {
  const leaf = selfSigned()
  const port = await echoServer(t, { cert: leaf.certPem, key: leaf.keyPem })
  assert.equal((await handshake({ port, ca: leaf.certPem })).authorized, true)
  assert.equal(
    (await handshake({ port, ca: root.certPem })).authorizationError,
    'DEPTH_ZERO_SELF_SIGNED_CERT',
  )
})

test('a revocation list refuses only the client that it lists', async (t) => {
  const server = root.issue()
  const revoked = root.issue()
  const welcome = root.issue()
  const port = await echoServer(t, {
    cert: server.chainPem,
    key: server.keyPem,
    ca: root.certPem,
    crl: root.crl({ revoked: [revoked.serial] }),
    requestCert: true,
  })
  await handshake({ port, cert: welcome.chainPem, key: welcome.keyPem, confirm: true })
  const refused = handshake({ port, cert: revoked.chainPem, key: revoked.keyPem, confirm: true })
  await assert.rejects(refused, { code: 'ECONNRESET' })
})

test('an expired revocation list refuses every client', async (t) => {
  const leaf = root.issue()
  const thisUpdate = new Date(Date.now() - 2 * day)
  const crl = root.crl({ thisUpdate, nextUpdate: new Date(Date.now() - day) })
  const port = await echoServer(t, {
    cert: leaf.chainPem,
    key: leaf.keyPem,
    ca: root.certPem,
    crl,
    requestCert: true,
  })
  const refused = handshake({ port, cert: leaf.chainPem, key: leaf.keyPem, confirm: true })
  await assert.rejects(refused, { code: 'ECONNRESET' })
})

const encryptions = {
  'PBKDF2 with the usual 2,048 iterations': {},
  'PBKDF2 with 600,000 iterations': { iterations: 600_000 },
  scrypt: { kdf: 'scrypt' },
} as const
for (const [name, options] of Object.entries(encryptions)) {
  test(`a key encrypted by ${name} opens with its passphrase only`, () => {
    const leaf = root.issue()
    const pem = encryptedPkcs8(leaf, 'pässwort', options)
    assert.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    assert.equal(createPrivateKey({ key: pem, passphrase: 'pässwort' }).equals(leaf.privateKey), true)
    assert.throws(() => createPrivateKey({ key: pem, passphrase: 'wrong' }))
  })
}

test('traditional keys open, encrypted and plain', () => {
  for (const [keyType, label] of [
    ['ec', 'EC'],
    ['rsa-2048', 'RSA'],
  ] as const) {
    const leaf = root.issue({ keyType })
    assert.equal(traditionalKey(leaf).split('\n')[0], `-----BEGIN ${label} PRIVATE KEY-----`)
    assert.equal(createPrivateKey(traditionalKey(leaf)).equals(leaf.privateKey), true)
    const encrypted = traditionalKey(leaf, 'secret')
    assert.match(encrypted, /^Proc-Type: 4,ENCRYPTED$/m)
    assert.equal(createPrivateKey({ key: encrypted, passphrase: 'secret' }).equals(leaf.privateKey), true)
  }
})

test('a request and a public key are not certificates', () => {
  const leaf = root.issue()
  assert.throws(() => new X509Certificate(csr(leaf)))
  assert.throws(() => new X509Certificate(publicKeyPem(leaf)))
})

for (const keyType of keyTypes) {
  test(`a PKCS#12 file with an ${keyType} key serves its whole chain`, async (t) => {
    const leaf = intermediate.issue({ keyType })
    const ciphers = keyType === 'rsa-1024' ? 'DEFAULT@SECLEVEL=0' : undefined
    const pfx = pkcs12({ leaf, chain: [intermediate], passphrase: 'pässwort', friendlyName: 'Prüfling' })
    const port = await echoServer(t, { pfx, passphrase: 'pässwort', ciphers })
    const result = await handshake({ port, ca: root.certPem, ciphers })
    assert.equal(result.authorizationError, undefined)
    assert.equal(result.fingerprint256, leaf.fingerprint256)
    assert.throws(() => createSecureContext({ pfx, passphrase: 'wrong' }), /mac verify failure/)
  })
}

test('a PKCS#12 file may be costly to open, or neither encrypted nor signed', () => {
  const leaf = root.issue()
  assert.doesNotThrow(() =>
    createSecureContext({ pfx: pkcs12({ leaf, iterations: 50_000 }), passphrase: '' }),
  )
  assert.doesNotThrow(() => createSecureContext({ pfx: pkcs12({ leaf, algorithm: 'none' }) }))
})

test('hundreds of authorities have distinct names and certificates', () => {
  const authorities = manyAuthorities(500)
  assert.equal(new Set(authorities.map(({ name }) => name)).size, 500)
  assert.equal(new Set(authorities.map(({ fingerprint256 }) => fingerprint256)).size, 500)
  const last = authorities.at(-1)
  assert.ok(last)
  assert.equal(new X509Certificate(last.certPem).verify(last.publicKey), true)
})
