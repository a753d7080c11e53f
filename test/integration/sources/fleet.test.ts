import assert from 'node:assert/strict'
import { test } from 'node:test'

import { shareEngine } from '../../../src/main/fleet/index.js'
import { nextEvent, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { joinOnThread } from '../../../support/fleet/fleet-member.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const authority = createAuthority()

test('members serve what the source of the primary delivers, also hosts, and never ask the source', async (t) => {
  const [first, second] = [authority.issue(), authority.issue()]
  const host = authority.issue({ names: ['a.example'] })
  const hosts = [{ name: 'a.example', version: '1', cert: host.chainPem, key: host.keyPem }]
  const source = new MemorySource(deliveryOf(first, '1', { hosts, ca: [authority.certPem] }))
  const engine = await startEngine(t, { source, hosts: {}, requestCert: true, rejectUnauthorized: false })
  const shared = shareEngine(engine)
  t.after(() => shared.close())
  const ports = [await serveEcho(t, engine), (await joinOnThread(t, shared)).port]
  for (const port of ports) {
    assert.equal(await servedBy(port), first.fingerprint256)
    assert.equal(await servedBy(port, { servername: 'a.example' }), host.fingerprint256)
  }
  const applied = nextEvent(engine, 'applied')
  source.push(deliveryOf(second, '2', { hosts, ca: [authority.certPem] }))
  const { members } = await applied
  assert.deepEqual(
    members.map(({ outcome }) => outcome),
    ['applied'],
  )
  for (const port of ports) assert.equal(await servedBy(port), second.fingerprint256)
  assert.equal(source.asked.length, 2)
})
