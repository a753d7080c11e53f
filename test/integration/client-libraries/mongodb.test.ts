/* mongodb, with a TLS server that does not know the protocol of MongoDB: there is no package of a server. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import { MongoClient } from 'mongodb'

import { assertKept, type HandshakeSite, openHandshakes } from '../../../support/clients/handshake-site.js'

test('a client of mongodb keeps the certificate of its creation when it connects again; a new client shows the current one', {
  timeout: 60_000,
}, async (t) => {
  const site = await openHandshakes(t)
  const former = site.serial()
  const client = connect(t, site)
  await assertKept(site)
  await client.close()

  connect(t, site)
  let serial = former
  while (serial === former) serial = await site.server.next()
  assert.equal(serial, site.serial())
})

test('a new client of mongodb refuses a server of a removed CA', { timeout: 60_000 }, async (t) => {
  const site = await openHandshakes(t)
  await site.distrust()
  await assert.rejects(openClient(t, site, 1000).connect(), /unable to verify the first certificate/)
})

/** The library tries until the test ends. */
function connect(t: TestContext, site: HandshakeSite): MongoClient {
  const client = openClient(t, site, 60_000)
  client.connect().catch(() => {})
  return client
}

function openClient(t: TestContext, { engine, server }: HandshakeSite, serverSelectionTimeoutMS: number) {
  const url = `mongodb://localhost:${server.port}`
  const client = new MongoClient(
    url,
    Object.assign(engine.clientOptions(), { tls: true, serverSelectionTimeoutMS }),
  )
  t.after(() => client.close())
  return client
}
