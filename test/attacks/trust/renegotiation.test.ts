/* The application authorizes a client by the certificate of its first handshake. A TLS 1.2 client can renegotiate. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type tls from 'node:tls'

import { arrivals } from '../../../support/base/arrivals.js'
import { renegotiatingClient, withoutPython } from '../../../support/clients/renegotiating-client.js'
import { peerSite } from '../../../support/engine/peer-site.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

for (const changes of [false, true]) {
  const [certificate, end] = changes
    ? ['another certificate', 'is disconnected']
    : ['the same certificate again', 'stays connected']
  test(`a client that presents ${certificate} in a renegotiation ${end}`, {
    skip: withoutPython,
  }, async (t) => {
    const [authority, another] = [createAuthority(), createAuthority()]
    const sockets = arrivals<tls.TLSSocket>()
    const site = await peerSite(t, [authority, another], { onConnection: (socket) => sockets.put(socket) })
    const first = authority.issue()
    const second = changes ? another.issue() : first
    const { exited } = renegotiatingClient(t, tempDir(t), site.port, [first, second])
    const socket = await sockets.next()
    assert.equal(socket.authorized, true)
    const answer = once(socket, 'data')
    socket.write('switch')
    await answer
    const seen = new Promise((resolve) => {
      socket.prependOnceListener('secure', () => resolve(socket.getPeerCertificate().fingerprint256))
    })
    const renegotiated = once(socket, 'secure')
    socket.renegotiate({}, () => {})
    assert.equal(await seen, second.fingerprint256)
    await renegotiated
    assert.deepEqual([socket.destroyed, socket.authorized], [changes, !changes])
    if (changes) await exited
  })
}
