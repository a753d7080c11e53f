import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import https from 'node:https'
import { type TestContext, test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'

import { type ClientIdentity, RenewingAgent } from '../../../src/main/attach/renewing-agent.js'
import { get } from '../../../support/clients/requests.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()
const [first, second] = [authority.issue(), authority.issue()]

test('a connection that was busy when the identity changed finishes its response, and is not used again', async (t) => {
  const { renew, request, arrival } = await start(t)
  const busy = request()
  const held = await arrival()
  renew()
  held.answer()
  assert.equal((await busy).status, 200)
  const next = request()
  const later = await arrival()
  later.answer()
  assert.equal((await next).reusedSocket, false)
  assert.deepEqual([held.shown, later.shown], [first.fingerprint256, second.fingerprint256])
  await held.closed
})

test('a request that waits for a free connection does not get an old one', async (t) => {
  const { renew, request, arrival } = await start(t)
  const before = request()
  const held = await arrival()
  renew()
  const after = [request(), request()]
  const running = await arrival()
  held.answer()
  await before
  running.answer()
  const waited = await arrival()
  waited.answer()
  await Promise.all(after)
  assert.deepEqual([running.shown, waited.shown], [second.fingerprint256, second.fingerprint256])
})

/** A server that answers when the test lets it, and an agent with one connection whose identity can be renewed. */
async function start(t: TestContext) {
  const mine = authority.issue()
  const requests = new EventEmitter()
  const server = https.createServer(
    { ...materialOf(mine), ca: authority.certPem, requestCert: true },
    (_request, response) => requests.emit('arrival', response),
  )
  const port = await listen(t, server)
  let identity: ClientIdentity = { generation: 1, secureContext: contextOf(first) }
  const agent = new RenewingAgent(
    { keepAlive: true, maxSockets: 1 },
    () => identity,
    () => true,
  )
  t.after(() => agent.destroy())

  const arrival = async () => {
    const [response] = (await once(requests, 'arrival')) as [ServerResponse]
    const socket = response.socket as TLSSocket
    return {
      /** The certificate that the client presented. */
      shown: socket.getPeerX509Certificate()?.fingerprint256,
      closed: once(socket, 'close'),
      answer: () => response.end('hello'),
    }
  }
  const renew = () => {
    identity = { generation: 2, secureContext: contextOf(second) }
    agent.retireIdle()
  }
  return { renew, arrival, request: () => get({ port, agent }) }
}

function contextOf(leaf: Leaf): tls.SecureContext {
  return tls.createSecureContext({ ...materialOf(leaf), ca: authority.certPem })
}

function materialOf({ chainPem, keyPem }: Leaf) {
  return { cert: chainPem, key: keyPem }
}
