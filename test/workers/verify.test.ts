import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { createServer } from 'node:tls'

import type { ListenerCheck } from '../../src/workers/protocol/verify.js'
import { verify } from '../../src/workers/verify.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority, manyAuthorities } from '../../support/material/certificates.js'
import { createEcho, echoServer, listen } from '../../support/servers/echo-server.js'

const authority = createAuthority()
const leaf = authority.issue()
const identity = { cert: leaf.chainPem, key: leaf.keyPem }
const host = '127.0.0.1'
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const SHOWN = {
  outcome: 'shown',
  certificate: { fingerprint256: leaf.fingerprint256, subject: new X509Certificate(leaf.certPem).subject },
  detail: '',
}

async function checkListener(port: number): Promise<ListenerCheck> {
  const [look] = await verify({ targets: [{ host, port, alpn: [] }] })
  return look as ListenerCheck
}

test('a listener shows its certificate, with and without SNI, and sees the port of this client', async (t) => {
  const server = createEcho(identity)
  const ports: (number | undefined)[] = []
  server.on('connection', ({ remotePort }) => ports.push(remotePort))
  const port = await listen(t, server)
  const targets = [{}, { servername: 'localhost' }].map((more) => ({ host, port, alpn: [], ...more }))
  const looks = await verify({ targets })
  assert.deepEqual(
    looks,
    ports.map((localPort) => ({ ...SHOWN, localPort: localPort ?? null })),
  )
  assert.equal(looks.length, 2)
})

test('a listener on a Unix socket is verified too', async (t) => {
  const path = join(tempDir(t), 'tls.sock')
  const server = createServer(identity).listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
  assert.deepEqual(await verify({ targets: [{ path, alpn: [] }] }), [{ ...SHOWN, localPort: null }])
})

test('a listener that requires a client certificate is verified too', async (t) => {
  for (const version of VERSIONS) {
    const strict = { requestCert: true, ca: authority.certPem, minVersion: version, maxVersion: version }
    const look = await checkListener(await echoServer(t, { ...identity, ...strict }))
    assert.deepEqual([look.outcome, look.certificate], ['shown', SHOWN.certificate], version)
  }
})

test('a listener that answers with an alert has failed, whether or not it has shown its certificate', async (t) => {
  const ca = manyAuthorities(900, { name: 'x'.repeat(60) })
    .map(({ certPem }) => certPem)
    .join('')
  for (const version of VERSIONS) {
    const only = { minVersion: version, maxVersion: version }
    const noNames = await checkListener(await echoServer(t, { ...identity, ...only, requestCert: true, ca }))
    assert.deepEqual([noNames.outcome, noNames.certificate], ['failed', null], version)
    assert.match(noNames.detail, /^TLS alert 80,/)
  }
  const ciphers = 'ECDHE-RSA-AES128-GCM-SHA256'
  const noCipher = await checkListener(await echoServer(t, { ...identity, ciphers, maxVersion: 'TLSv1.2' }))
  assert.equal(noCipher.outcome, 'failed')
})

test('a port without a listener, or without TLS, is unreachable, which proves nothing', async (t) => {
  const mute = await listen(
    t,
    createTcpServer((socket) => socket.end('no TLS here')),
  )
  const gone = createTcpServer().listen(0, host)
  await once(gone, 'listening')
  const { port } = gone.address() as { port: number }
  await new Promise((resolve) => gone.close(resolve))
  const looks = await verify({ targets: [mute, port].map((one) => ({ host, port: one, alpn: [] })) })
  assert.deepEqual(
    looks.map(({ outcome, certificate }) => [outcome, certificate]),
    [
      ['unreachable', null],
      ['unreachable', null],
    ],
  )
  assert.equal(looks[1]?.detail, 'ECONNREFUSED')
})

test('a listener that accepts and sends nothing is unreachable after the time limit', async (t) => {
  const look = await checkListener(await listen(t, createTcpServer()))
  assert.equal(look.outcome, 'unreachable')
  assert.match(look.detail, /no handshake within/)
})

test('without targets there are no findings', async () => {
  assert.deepEqual(await verify({ targets: [] }), [])
})
