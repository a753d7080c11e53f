/*
 * The contract with Node behind `src/main/attach/presented-chain.ts`. If Node changes, these tests fail, and the comment and
 * the versions in that file must be reviewed.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'

import { leafOf, legacyIsSafe, linksOf, losesChainEarly } from '../../../src/main/attach/presented-chain.js'
import { identityOf, peerSite } from '../../../support/engine/peer-site.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { runModule } from '../../../support/processes/run-module.js'

const root = createAuthority()
const intermediate = root.issueAuthority()

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`the session of a connection holds the leaf, and the connection the rest of its chain (${maxVersion})`, async (t) => {
    const leaf = intermediate.issue()
    const found: (readonly [Uint8Array | null, readonly Uint8Array[]])[] = []
    const look = (socket: TLSSocket) => found.push([leafOf(socket), linksOf(socket).certificates])
    const site = await peerSite(t, [root])
    site.server.prependListener('secureConnection', look)
    await site.connect('client', identityOf(leaf), { maxVersion })
    const [[own, links] = [null, []]] = found
    assert.deepEqual(own && Buffer.from(own), leaf.certDer)
    const expected = losesChainEarly ? [] : [intermediate.certDer]
    assert.deepEqual(
      links.slice(0, 1).map((der) => Buffer.from(der)),
      expected,
    )
  })
}

test('if a session is encoded in another way, the leaf is read from the connection', async (t) => {
  const leaf = root.issue()
  const found: (Uint8Array | null)[] = []
  const site = await peerSite(t, [root])
  site.server.prependListener('secureConnection', (socket) => {
    socket.getSession = () => Buffer.from('a session')
    found.push(leafOf(socket))
  })
  await site.connect('client', identityOf(leaf))
  assert.deepEqual(found[0] && Buffer.from(found[0]), leaf.certDer)
})

test('reading a chain leaves it available to the application', {
  skip: losesChainEarly && 'this Node consumes the chain before the application can read it',
}, async (t) => {
  const names: (string | undefined)[] = []
  const site = await peerSite(t, [root], {
    onConnection: (socket) => names.push(socket.getPeerX509Certificate()?.issuerCertificate?.subject),
  })
  await site.connect('client', identityOf(intermediate.issue()))
  assert.deepEqual(names, [new X509Certificate(intermediate.certDer).subject])
})

test('Node returns a legacy object for a CA on a curve without a NIST name, on versions where this is considered safe', {
  skip: legacyIsSafe
    ? false
    : 'needs a Node whose legacy object is safe: 22, 24.22.3 or newer, 26.12.1 or newer',
}, async (t) => {
  const ca = createAuthority({
    parent: root,
    key: generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }),
  })
  const { code } = await runModule(t, SCRIPT, identities(ca))
  assert.equal(code, 0)
})

function identities(ca: Authority): Record<string, string> {
  const [server, client] = [root.issue(), ca.issue()]
  return {
    SERVER: JSON.stringify({ cert: server.chainPem, key: server.keyPem, ca: root.certPem }),
    CLIENT: JSON.stringify({ cert: client.chainPem, key: client.keyPem }),
  }
}

const SCRIPT = `
import tls from 'node:tls'
const server = tls.createServer({ ...JSON.parse(process.env.SERVER), requestCert: true }, (socket) => {
  if (!socket.getPeerCertificate(true).issuerCertificate) process.exitCode = 1
  socket.end('x')
  server.close()
})
server.listen(0, '127.0.0.1', () => {
  tls.connect({ port: server.address().port, ...JSON.parse(process.env.CLIENT), rejectUnauthorized: false }).resume()
})
`
