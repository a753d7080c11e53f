/*
 * A Node that keeps the context of a server, or of a connection, where certswap does not find it, and one that does not emit
 * `secure`: withdrawn trust must not admit clients there either.
 */

import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'

import { HandshakeTrust } from '../../../src/main/attach/handshake-trust.js'
import { PeerRefusals } from '../../../src/main/attach/peer-refusals.js'
import type { ServedState } from '../../../src/main/attach/served-state.js'
import { systemClock } from '../../../src/main/base/clock.js'
import type { TrustTerms } from '../../../src/main/generation/trust-change.js'
import { NO_TRUST_ENDS } from '../../../src/workers/protocol/ends.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

const PEERS = { requestCert: true, rejectUnauthorized: false }

test('on a server whose context cannot be read, a handshake under withdrawn trust is closed', async () => {
  const { gate, withdraw } = gateOf()
  const server = new EventEmitter() as tls.Server
  gate.follow(server, () => PEERS)
  const raw = new PassThrough()
  server.emit('connection', raw)
  assert.equal(gate.size, 1)
  withdraw()
  gate.closeWithdrawn()
  assert.deepEqual([gate.size, raw.destroyed], [0, true])
})

test('a connection whose context cannot be read is judged by the trust of the moment when it was accepted', async (t) => {
  const { server, port, withdraw } = await gatedServer(t)
  server.on('connection', () => withdraw())
  server.prependListener('secureConnection', (socket) => Object.assign(socket, { _tlsOptions: undefined }))
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  const client = handshake({ port, waitForSession: false, maxVersion: 'TLSv1.2' }).catch(() => {})
  const [socket] = await accepted
  assert.deepEqual([socket.destroyed, socket.authorized], [true, false])
  await client
})

test('a client may not renegotiate where Node does not report the end of a renegotiation', async (t) => {
  const { server, port } = await gatedServer(t)
  server.prependListener('secureConnection', (socket) => {
    socket.removeAllListeners('secure')
  })
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  const { socket: client } = await handshake({
    port,
    maxVersion: 'TLSv1.2',
    keepOpen: true,
    waitForSession: false,
  })
  t.after(() => client.destroy())
  const [socket] = await accepted
  const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>
  const closed = new Promise((resolve) => client.resume().on('close', resolve))
  client.on('error', () => {})
  client.renegotiate({ rejectUnauthorized: false }, () => {})
  const [{ code }] = await failed
  assert.equal(code, 'ERR_TLS_RENEGOTIATION_DISABLED')
  // Also if the application does nothing about the error.
  await closed
})

/** A gate, and a function that withdraws its initial trust. */
function gateOf() {
  let partial = true
  const terms: TrustTerms[] = [termsOf(true), termsOf(false)]
  const contexts = { termsFor: () => terms[partial ? 0 : 1] }
  const gate = new HandshakeTrust(
    () => ({ contexts }) as unknown as ServedState,
    new PeerRefusals(systemClock),
  )
  const withdraw = () => {
    partial = false
  }
  return { gate, withdraw }
}

function termsOf(allowPartialTrustChain: boolean): TrustTerms {
  return {
    identity: `partial chains: ${allowPartialTrustChain}`,
    peers: PEERS,
    trust: { authorities: null, revocationLists: [], ends: NO_TRUST_ENDS } as unknown as TrustTerms['trust'],
    options: { allowPartialTrustChain },
  }
}

/** A TLS server whose own context no gate can read. */
async function gatedServer(t: Parameters<typeof listen>[0]) {
  const authority = createAuthority()
  const leaf = authority.issue()
  const server = tls.createServer({
    ...{ cert: leaf.chainPem, key: leaf.keyPem, ca: authority.certPem },
    ...PEERS,
  })
  const { gate, withdraw } = gateOf()
  gate.follow(withoutContext(server), () => PEERS)
  return { server, port: await listen(t, server), withdraw }
}

/** The server as seen on a Node that stores its context somewhere else. */
function withoutContext(server: tls.Server): tls.Server {
  return new Proxy(server, {
    get: (target, name) => (name === '_sharedCreds' ? undefined : Reflect.get(target, name, target)),
  })
}
