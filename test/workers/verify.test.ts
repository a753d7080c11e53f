import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { createServer } from 'node:tls'

import { verify } from '../../src/workers/verify.js'
import { createAuthority } from '../support/certificates.js'
import { echoServer, listen } from '../support/echo-server.js'
import { tempDir } from '../support/temp-dir.js'

const authority = createAuthority()
const leaf = authority.issue()
const other = authority.issue()
const identity = { cert: leaf.chainPem, key: leaf.keyPem }
const host = '127.0.0.1'

test('a listener is seen to serve one of the certificates that it should, or another one', async (t) => {
  const port = await echoServer(t, identity)
  const { fingerprint256 } = leaf
  const targets = [
    { host, port, expected: [other.fingerprint256, fingerprint256] },
    { host, port, servername: 'localhost', expected: [fingerprint256] },
    { host, port, expected: [other.fingerprint256] },
    { host, port, expected: [] },
  ]
  assert.deepEqual(await verify({ targets }), [
    { verdict: 'same', detail: fingerprint256 },
    { verdict: 'same', detail: fingerprint256 },
    { verdict: 'different', detail: fingerprint256 },
    { verdict: 'different', detail: fingerprint256 },
  ])
})

test('a listener on a Unix socket is seen too', async (t) => {
  const path = join(tempDir(t), 'tls.sock')
  const server = createServer(identity).listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
  const [finding] = await verify({ targets: [{ path, expected: [leaf.fingerprint256] }] })
  assert.equal(finding?.verdict, 'same')
})

test('a listener that wants a client certificate is seen all the same', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const strict = { requestCert: true, ca: authority.certPem, minVersion: version, maxVersion: version }
    const port = await echoServer(t, { ...identity, ...strict })
    const [finding] = await verify({ targets: [{ host, port, expected: [leaf.fingerprint256] }] })
    assert.equal(finding?.verdict, 'same', version)
  }
})

test('a port where nobody listens, or nobody speaks TLS, is unreachable, which says nothing', async (t) => {
  const mute = await listen(
    t,
    createTcpServer((socket) => socket.end('no TLS here')),
  )
  const gone = createTcpServer().listen(0, host)
  await once(gone, 'listening')
  const { port } = gone.address() as { port: number }
  await new Promise((resolve) => gone.close(resolve))
  const findings = await verify({ targets: [mute, port].map((one) => ({ host, port: one, expected: [] })) })
  assert.deepEqual(
    findings.map(({ verdict }) => verdict),
    ['unreachable', 'unreachable'],
  )
  assert.equal(findings[1]?.detail, 'ECONNREFUSED')
})

test('a listener that accepts and says nothing is unreachable after a while', async (t) => {
  const port = await listen(t, createTcpServer())
  const [finding] = await verify({ targets: [{ host, port, expected: [] }] })
  assert.equal(finding?.verdict, 'unreachable')
  assert.match(finding?.detail ?? '', /no handshake within/)
})

test('nothing to look at gives no findings', async () => {
  assert.deepEqual(await verify({ targets: [] }), [])
})
