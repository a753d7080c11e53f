/*
 * Fastify creates its own server from options, so this tests the two lines that its users write: `https:
 * engine.serverOptions()` and `engine.attach(app.server)`. They listen on an explicit host: for `localhost` Fastify may open a
 * second server, which cannot be attached.
 */

import assert from 'node:assert/strict'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'

import { fastify } from 'fastify'

import { get } from '../../../support/clients/requests.js'
import { assertApplied, servedBy, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const authority = createAuthority()

test('a Fastify server serves the new certificate after each reload, and its clients keep their connection', async (t) => {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, authority.issue()))
  const app = fastify({ https: engine.serverOptions() })
  app.get('/', async () => 'hello')
  engine.attach(app.server)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const request = { port, agent, ca: authority.certPem }
  const before = await get(request)
  assert.equal(before.body, 'hello')
  for (const leaf of [authority.issue(), authority.issue()]) {
    writePair(dir, leaf)
    assertApplied(await engine.reload())
    assert.equal(await servedBy(port), leaf.fingerprint256)
    assert.deepEqual(await get(request), { ...before, reusedSocket: true })
  }
})

test('a Fastify server for HTTP/2 and HTTP/1.1 serves the new certificate over both', async (t) => {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, authority.issue()))
  const app = fastify({ http2: true, https: engine.serverOptions({ allowHTTP1: true }) })
  app.get('/', async () => 'hello')
  engine.attach(app.server)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const leaf = authority.issue()
  writePair(dir, leaf)
  assertApplied(await engine.reload())
  assert.equal(await servedBy(port, { alpn: ['h2'] }), leaf.fingerprint256)
  assert.equal(await servedBy(port, { alpn: ['http/1.1'], confirm: true }), leaf.fingerprint256)
})
