/*
 * A change of trust ends the connections of the affected clients only: whatever the application has done with their
 * certificates, whether they resumed or not, and in whatever encoding their names are written.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import tls, { type SecureVersion } from 'node:tls'

import { shareEngine } from '../../../src/main/fleet/index.js'
import { identityOf, peerSite } from '../../../support/engine/peer-site.js'
import { joinOnThread } from '../../../support/fleet/fleet-member.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { oid, pem, sequence, set, tagged, utf8 } from '../../../support/material/der.js'
import { basicConstraints, subjectKeyId } from '../../../support/material/extensions.js'
import { type KeyPair, keyPair, signerOf } from '../../../support/material/keys.js'
import { keyIdOf, signCertificate } from '../../../support/material/x509.js'

const day = 24 * 60 * 60_000

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`clients of an intermediate keep their connections while its CA stays, also after a resumption (${version})`, async (t) => {
    const [staying, leaving] = [createAuthority(), createAuthority()]
    const site = await peerSite(t, [staying, leaving], {
      onConnection: (socket) => {
        // On Node 20 and 22 this removes the intermediates from the connection.
        socket.getPeerX509Certificate()
        socket.write('x')
      },
    })
    const leaves = { stays: staying.issueAuthority().issue(), leaves: leaving.issueAuthority().issue() }
    for (const [name, leaf] of Object.entries(leaves)) {
      const session = await firstSession(site, name, leaf, version)
      const resumed = await site.connect(`${name}, resumed`, identityOf(leaf), {
        session,
        maxVersion: version,
      })
      assert.equal(resumed.client.isSessionReused(), true)
      assert.equal(resumed.server.authorized, true)
    }
    assert.deepEqual(await site.distrusted(), [])
    await site.trust(staying)
    assert.deepEqual(await site.distrusted(), ['leaves', 'leaves, resumed'])
  })
}

test('two connections of one client are judged separately, each by the chain that it sent', async (t) => {
  const [staying, leaving] = [createAuthority(), createAuthority()]
  const site = await peerSite(t, [staying, leaving])
  const key = keyPair()
  const [under, above] = [staying, leaving].map((parent) =>
    createAuthority({ name: 'Cross-signed CA', key, parent }),
  ) as [Authority, Authority]
  const leaf = under.issue()
  const by = (issuer: Authority) => ({ cert: leaf.certPem + issuer.certPem, key: leaf.keyPem })
  await site.connect('by the CA that leaves', by(above))
  await site.connect('by the CA that stays', by(under))
  await site.connect('by the CA that leaves, again', by(above))
  await site.trust(staying)
  assert.deepEqual(await site.distrusted(), ['by the CA that leaves', 'by the CA that leaves, again'])
})

test('a CA whose name is a PrintableString in one certificate and a UTF8String in the next keeps its clients', async (t) => {
  const [ca, other] = [keyPair(), createAuthority()]
  const printable = nameOf(tagged(19, Buffer.from('Example CA')))
  const before = { certPem: issue(ca, ca, printable, printable, true) }
  const after = { certPem: issue(ca, ca, nameOf(utf8(' example  ca')), nameOf(utf8(' example  ca')), true) }
  const client = keyPair()
  const cert = issue(client, ca, printable, nameOf(utf8('client')), false)
  const site = await peerSite(t, [before, other])
  await site.connect('client', {
    cert,
    key: client.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  })
  await site.connect('other', identityOf(other.issue()))
  await site.trust(after)
  assert.deepEqual(await site.distrusted(), ['other'])
})

test('the newest list of a CA decides which certificates are revoked', async (t) => {
  const authority = createAuthority()
  const [one, two, three] = [authority.issue(), authority.issue(), authority.issue()] as [Leaf, Leaf, Leaf]
  const ago = (ms: number) => new Date(Date.now() - ms)
  const site = await peerSite(t, [authority], { crl: [authority.crl()] })
  for (const [name, leaf] of Object.entries({ one, two, three })) await site.connect(name, identityOf(leaf))
  await site.revoke(
    authority.crl({ revoked: [two.serial], thisUpdate: ago(60_000) }),
    authority.crl({ revoked: [one.serial, two.serial, three.serial], thisUpdate: ago(2 * day) }),
  )
  assert.deepEqual(await site.distrusted(), ['two'])
})

test('a fleet member judges the connections of its own servers by the trust of the primary', async (t) => {
  const [staying, leaving] = [createAuthority(), createAuthority()]
  const site = await peerSite(t, [staying, leaving])
  const name = `peers-${process.pid}`
  const shared = shareEngine(site.engine, { name })
  t.after(() => shared.close())
  const { worker, port, next } = await joinOnThread(t, shared, name)
  const distrusted = () => {
    worker.postMessage({ distrusted: true })
    return next()
  }
  for (const [commonName, ca] of Object.entries({ stays: staying, leaves: leaving })) {
    const identity = identityOf(ca.issueAuthority().issue({ commonName }))
    const client = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...identity })
    t.after(() => client.destroy())
    client.on('error', () => {}).write('x')
    await once(client, 'data')
  }
  assert.deepEqual(await distrusted(), { distrusted: [] })
  await site.trust(staying)
  assert.deepEqual(await distrusted(), { distrusted: ['CN=leaves'] })
})

async function firstSession(
  site: Awaited<ReturnType<typeof peerSite>>,
  name: string,
  leaf: Leaf,
  maxVersion: SecureVersion,
): Promise<Buffer> {
  const { client } = await site.connect(name, identityOf(leaf), { maxVersion })
  if (maxVersion === 'TLSv1.2') return client.getSession() as Buffer
  const [session] = await once(client, 'session')
  return session as Buffer
}

function nameOf(value: Buffer): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), value)))
}

function issue(
  subjectKey: KeyPair,
  issuerKey: KeyPair,
  issuer: Buffer,
  subject: Buffer,
  isCa: boolean,
): string {
  return pem(
    'CERTIFICATE',
    signCertificate(
      {
        issuer,
        subject,
        serial: isCa ? '01' : '02',
        notBefore: new Date(Date.now() - day),
        notAfter: new Date(Date.now() + day),
        publicKey: subjectKey.publicKey,
        extensions: [basicConstraints(isCa), subjectKeyId(keyIdOf(subjectKey.publicKey))],
      },
      signerOf(issuerKey.privateKey),
    ),
  )
}
