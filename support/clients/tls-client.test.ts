import assert from 'node:assert/strict'
import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'
import { createServer as createTcpServer } from 'node:net'
import { test } from 'node:test'

import { createAuthority } from '../material/certificates.js'
import { echoServer, listen } from '../servers/echo-server.js'
import { handshake } from './tls-client.js'

const authority = createAuthority()
const leaf = authority.issue()
const identity = { cert: leaf.chainPem, key: leaf.keyPem }

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  const only = { ca: authority.certPem, minVersion: version, maxVersion: version }

  test(`a ${version} session is available at once and resumes`, async (t) => {
    const port = await echoServer(t, identity)
    const first = await handshake({ port, ...only })
    assert.equal(first.reused, false)
    const second = await handshake({ port, ...only, session: first.session })
    assert.equal(second.reused, true)
    assert.equal(second.fingerprint256, undefined)
  })

  test(`a ${version} client that the server refuses gets the error with \`confirm\``, async (t) => {
    const port = await echoServer(t, { ...identity, ca: authority.certPem, requestCert: true })
    const stranger = createAuthority().issue()
    await handshake({ port, ...only, ...identity, confirm: true })
    const refused = handshake({ port, ...only, cert: stranger.certPem, key: stranger.keyPem, confirm: true })
    await assert.rejects(refused, { code: 'ECONNRESET' })
    await assert.rejects(handshake({ port, ...only, confirm: true }), { code: /^ERR_SSL_|^ECONNRESET$/ })
  })
}

test('an HTTP/1.1 server and an HTTP/2 server confirm too', async (t) => {
  const http1 = await listen(
    t,
    createServer(identity, (_, response) => response.end('hello')),
  )
  assert.equal((await handshake({ port: http1, confirm: true })).alpn, false)
  const http2 = await listen(t, createSecureServer(identity))
  assert.equal((await handshake({ port: http2, confirm: true, alpn: ['h2'] })).alpn, 'h2')
})

test('a connection stays open only on request, until it is closed', async (t) => {
  const port = await echoServer(t, identity)
  assert.equal((await handshake({ port })).socket.destroyed, true)
  const open = await handshake({ port, keepOpen: true })
  assert.equal(open.socket.destroyed, false)
  await open.close()
  await open.close()
  assert.equal(open.socket.destroyed, true)
})

test('a server that never answers is a timeout, and a missing server is an error', async (t) => {
  const silent = await listen(
    t,
    createTcpServer(() => {}),
  )
  await assert.rejects(handshake({ port: silent, timeoutMs: 50 }), { code: 'ETIMEDOUT' })
  await assert.rejects(handshake({ port: 1 }), { code: 'ECONNREFUSED' })
})
