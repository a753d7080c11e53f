/*
 * The context of a server has the anchors of all trust domains, and the server keeps it when it is detached or when its engine
 * is closed. The CA of one domain must not vouch for identities of another at any time.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine } from '../../../src/main/index.js'
import { connectFully, createGreeter, stopHalfWay } from '../../../support/clients/admission.js'
import { startEngine } from '../../../support/engine/engines.js'
import { SERVER_LIVES } from '../../../support/engine/server-lives.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const own = createAuthority({ name: 'example.org' })
const other = createAuthority({ name: 'other.test' })
const web = own.issue({ names: ['localhost'], uris: ['spiffe://example.org/web'] })
const ADMIN = 'spiffe://example.org/admin'
const admin = clientOf(own)
/** Its CA has an intermediate, which the connection must still have when the peer is judged. */
const adminBelow = clientOf(own.issueAuthority())
const impostor = clientOf(other)
const key = own.issueAuthority()
const impostorBelow = clientOf(other.issueAuthority())

for (const [life, [live, serves]] of Object.entries(SERVER_LIVES)) {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`${version}: a server that ${life} refuses the CA of another domain`, async (t) => {
      const { engine, server, port } = await start(t)
      await live(engine, server)
      const codes: unknown[] = []
      server.on('tlsClientError', (error: NodeJS.ErrnoException) => codes.push(error.code))
      const admission = async (leaf: Leaf) =>
        (await connectFully({ port, version, ...identityOf(leaf) })).admission
      for (const leaf of [admin, adminBelow, adminBelow])
        assert.equal(await admission(leaf), serves ? 'full' : 'refused')
      if (serves) assert.deepEqual(codes, [])
      for (const leaf of [impostor, impostorBelow]) assert.equal(await admission(leaf), 'refused')
      if (serves) assert.deepEqual(codes, ['TRUST_DOMAIN', 'TRUST_DOMAIN'])
    })
  }
}

test('with optional certificates, a detached server refuses an impostor and authorizes no client without one', async (t) => {
  const { engine, server, port } = await start(t, { rejectUnauthorized: false })
  engine.attach(server)()
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await connectFully({ port, version })
    assert.deepEqual([first.admission, first.authorized], ['full', false])
    const again = await connectFully({ port, version, session: first.session })
    assert.deepEqual([again.admission, again.authorized], ['resumed', false])
    const known = await connectFully({ port, version, ...identityOf(admin) })
    assert.deepEqual([known.admission, known.authorized], ['full', true])
    assert.equal((await connectFully({ port, version, ...identityOf(impostor) })).admission, 'refused')
  }
})

test('with optional certificates, a server that was never attached authorizes no client, not even by resumption', async (t) => {
  const { port } = await start(t, { rejectUnauthorized: false })
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const identity of [{}, identityOf(impostor), identityOf(admin)]) {
      // Tickets come before the data.
      const client = { port, version, ...identity, expectTicket: false }
      const first = await connectFully(client)
      assert.deepEqual([first.admission, first.authorized], ['full', false])
      const again = await connectFully({ ...client, session: first.session })
      assert.equal(again.authorized, false)
    }
  }
})

test('a client whose intermediate is replaced by one of the right domain is accepted, on every version of Node', async (t) => {
  const { engine, server, port } = await start(t)
  engine.attach(server)
  const [foreign, replaced] = [other, own].map((authority) =>
    authority.issueAuthority({ name: 'below', key }),
  )
  const leaf = clientOf(foreign as Authority)
  const renewed = { cert: leaf.certPem + replaced?.chainPem, key: leaf.keyPem }
  const admission = async (identity: { cert: string; key: string }) =>
    (await connectFully({ port, version: 'TLSv1.3', ...identity })).admission
  assert.equal(await admission(identityOf(leaf)), 'refused')
  assert.equal(await admission(renewed), 'full')
  assert.equal(await admission(identityOf(leaf)), 'refused')
})

for (const [what, end] of Object.entries({
  'its engine is closed': (engine: ReloadEngine) => engine.close(),
  'it is detached': (_engine: ReloadEngine, detach: () => void) => detach(),
})) {
  test(`a handshake that is held open while ${what} admits no impostor`, async (t) => {
    const { engine, server, port } = await start(t)
    const detach = engine.attach(server)
    const held = []
    for (const leaf of [impostor, impostorBelow, adminBelow]) {
      held.push(await stopHalfWay(server, { port, version: 'TLSv1.3', ...identityOf(leaf) }))
    }
    await end(engine, detach)
    const admissions: string[] = []
    for (const goOn of held) admissions.push((await goOn()).admission)
    assert.deepEqual(admissions, ['refused', 'refused', 'full'])
  })
}

async function start(t: TestContext, options: { rejectUnauthorized?: boolean } = {}) {
  const trustDomains = { 'example.org': [own.certDer], 'other.test': [other.certDer] }
  const source = new MemorySource(deliveryOf(web, '1', { trustDomains }))
  const engine = await startEngine(t, { source, requestCert: true, ...options })
  const server = createGreeter(engine.serverOptions())
  return { engine, server, port: await listen(t, server) }
}

function clientOf(authority: Authority): Leaf {
  return authority.issue({ names: [], uris: [ADMIN] })
}

function identityOf({ chainPem, keyPem }: Leaf) {
  return { cert: chainPem, key: keyPem }
}
