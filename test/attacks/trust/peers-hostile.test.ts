/*
 * A client chooses the certificates that it sends beside its own. They must neither affect other clients nor keep the client
 * connected after its trust was removed.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { type TestContext, test } from 'node:test'

import { createDrain } from '../../../src/main/drain/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { identityOf, peerSite } from '../../../support/engine/peer-site.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { integer, octets, oid, pem, sequence, tagged, time, yes } from '../../../support/material/der.js'
import {
  authorityKeyId,
  basicConstraints,
  extension,
  subjectKeyId,
} from '../../../support/material/extensions.js'
import { type KeyPair, signerOf } from '../../../support/material/keys.js'
import { oddCertificate } from '../../../support/material/odd-certificate.js'
import { distinguishedName, keyIdOf, publicKeyInfo, signed } from '../../../support/material/x509.js'

const day = 24 * 60 * 60_000

/** Node 20 overruns a buffer of 256 bytes when it prints such a purpose, and crashes. */
const longPurpose = tagged(
  0x06,
  Buffer.concat([Buffer.from([0x2a]), Buffer.alloc(4_000, 0xff), Buffer.from([0x7f])]),
)

const hostile: Readonly<Record<string, (leaving: Authority) => string[]>> = {
  'one that is BER and not DER': (leaving) => [expiredInBer(leaving)],
  'a dozen re-issues of its CA': (leaving) => reissues(leaving, 12),
  'a hundred certificates': (leaving) => reissues(leaving, 100),
  'a CA on a curve without a NIST name': (leaving) => [brainpoolNamesake(leaving)],
  'a CA whose purpose has a name of 4,000 bytes': (leaving) => [namesakeWithLongPurpose(leaving)],
}

for (const [what, extraOf] of Object.entries(hostile)) {
  test(`a client that sends ${what} loses its connection with its CA, and no other client does`, async (t) => {
    const [staying, leaving] = [createAuthority(), createAuthority()]
    const site = await peerSite(t, [staying, leaving])
    await site.connect('honest', identityOf(staying.issue()))
    await site.connect('hostile', identityOf(leaving.issue(), ...extraOf(leaving)))
    await site.connect('hostile with the CA that stays', identityOf(staying.issue(), ...extraOf(staying)))
    await site.connect('honest, of the CA that leaves', identityOf(leaving.issue()))
    await site.connect('honest, of an intermediate', identityOf(staying.issueAuthority().issue()))
    assert.deepEqual(await site.distrusted(), [])
    await site.trust(staying)
    assert.deepEqual(
      (await site.distrusted()).filter((name) => name !== 'hostile with the CA that stays'),
      ['honest, of the CA that leaves', 'hostile'],
    )
  })
}

test('a client with a certificate on a brainpool curve is judged like any other', {
  skip: skipBrainpool(),
}, async (t) => {
  const [staying, leaving] = [createAuthority(), createAuthority()]
  const site = await peerSite(t, [staying, leaving])
  const leaf = (authority: Authority) =>
    identityOf(authority.issue({ key: generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }) }))
  await site.connect('stays', leaf(staying))
  await site.connect('leaves', leaf(leaving))
  await site.trust(staying)
  assert.deepEqual(await site.distrusted(), ['leaves'])
})

test('a drain closes the connection of the affected client, whatever it sent, and keeps the others', async (t: TestContext) => {
  const [staying, leaving] = [createAuthority(), createAuthority()]
  const site = await peerSite(t, [staying, leaving])
  const drain = createDrain({
    servers: [site.server],
    engine: site.engine,
    onTrustRemoved: 'drain',
    deadlineMs: 200,
    logger: recordingLogger(),
  })
  t.after(() => drain.close())
  const honest = await site.connect('honest', identityOf(staying.issue()))
  const bad = await site.connect('hostile', identityOf(leaving.issue(), expiredInBer(leaving)))
  const closed = new Promise((resolve) => bad.client.once('close', resolve))
  await site.trust(staying)
  await closed
  assert.equal(honest.client.destroyed, false)
  assert.equal(drain.state, 'running')
})

/** TLS 1.3 on OpenSSL 3.0 has no signature scheme for the key of such a leaf. */
function skipBrainpool(): string | false {
  return process.versions.openssl.startsWith('3.0.') && 'needs OpenSSL 3.2 or newer: a Node above 20'
}

/** An invalid signature: anybody can create a certificate with the name of a CA and its key identifier. */
function expiredInBer(authority: Authority): string {
  const signer = signerOf(authority.privateKey)
  const name = distinguishedName(authority.name)
  const id = subjectKeyId(keyIdOf(authority.publicKey))
  const extension = sequence(oid('1.2.3.4'), yes(), octets(Buffer.from('x')))
  const extensions = sequence(basicConstraints(true), id, extension)
  const body = [
    tagged(0xa0, integer(2)),
    integer(7),
    signer.algorithm,
    name,
    sequence(time(new Date(Date.now() - 3 * day)), time(new Date(Date.now() - 2 * day))),
    name,
    publicKeyInfo(authority.publicKey),
    // An indefinite length, which is BER.
    Buffer.concat([Buffer.from([0xa3, 0x80]), extensions, Buffer.from([0, 0])]),
  ]
  const noSignature = { algorithm: signer.algorithm, sign: () => Buffer.alloc(64, 1) }
  return pem('CERTIFICATE', signed(noSignature, body))
}

/** Certificates with the same name and key: each of them counts as the issuer of each other. */
function reissues(authority: Authority, count: number): string[] {
  const id = keyIdOf(authority.publicKey)
  const extensions = [basicConstraints(true), subjectKeyId(id), authorityKeyId(id)]
  return Array.from({ length: count }, () =>
    pem('CERTIFICATE', oddCertificate({ key: authority, subject: authority.name, extensions })),
  )
}

test('a client that resumes with a certificate of an unusual purpose does not crash a server that admits unverified clients', async (t) => {
  const authority = createAuthority()
  const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const clientAuth = oid('1.3.6.1.5.5.7.3.2')
  const cert = pem(
    'CERTIFICATE',
    oddCertificate({
      key,
      signer: signerOf(authority.privateKey),
      subject: 'Unusual',
      issuer: authority.name,
      extensions: [extension('2.5.29.37', sequence(longPurpose, clientAuth))],
    }),
  )
  const identity = { cert, key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
  const site = await peerSite(t, [authority], { engine: { rejectUnauthorized: false } })
  const maxVersion = 'TLSv1.2'
  const { client } = await site.connect('first', identity, { maxVersion })
  const session = client.getSession() as Buffer
  const resumed = await site.connect('resumed', identity, { maxVersion, session })
  assert.equal(resumed.client.isSessionReused(), true)
  assert.equal(resumed.server.authorized, true)
})

/** A CA with the same name and another key. Node's legacy object takes it for the issuer. */
function brainpoolNamesake(authority: Authority): string {
  return namesake(authority, generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }))
}

function namesakeWithLongPurpose(authority: Authority): string {
  const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return namesake(authority, key, [extension('2.5.29.37', sequence(longPurpose))])
}

function namesake(authority: Authority, key: KeyPair, more: readonly Buffer[] = []): string {
  const extensions = [basicConstraints(true), subjectKeyId(keyIdOf(authority.publicKey)), ...more]
  return pem('CERTIFICATE', oddCertificate({ key, subject: authority.name, extensions }))
}
