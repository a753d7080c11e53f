import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import tls from 'node:tls'

import {
  acceptingContext,
  acceptingPolicy,
  acceptingServer,
  addedContextFor,
  addedNames,
  authorizesResumedWithoutCertificate,
  canBuildInSteps,
  canPoint,
  closeContext,
  currentContext,
  hasPeerCertificate,
  knowsPartialChains,
  peerPolicyOf,
  pointAt,
  protocolsOf,
  rawSocketOf,
  sessionIdContextFor,
  sessionIdContextOf,
  setCertificate,
  setPrivateKey,
  sniCallbackOf,
  ticketKeysOptionOf,
} from '../../../src/main/generation/native-context.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

/*
 * The contract with the undocumented parts of Node. If one of these tests fails on a new Node, certswap still works through the
 * public API, at a higher cost: see src/main/generation/native-context.ts.
 */

const authority = createAuthority()
const leaf = authority.issue()
const options = { cert: leaf.chainPem, key: leaf.keyPem }
const SERVERS = {
  tls: () => tls.createServer(options, (socket) => socket.end()),
  https: () => https.createServer(options),
  http2: () => http2.createSecureServer(options),
}

test(`contexts can be built in steps on Node ${process.version}`, () => {
  assert.ok(canBuildInSteps())
})

test(`\`allowPartialTrustChain\` is known on Node ${process.version}`, () => {
  assert.ok(knowsPartialChains())
})

for (const [kind, create] of Object.entries(SERVERS)) {
  test(`a server of node:${kind} takes its certificate from a field on Node ${process.version}`, async (t) => {
    const server = create()
    assert.ok(canPoint(server))
    const port = await listen(t, server)
    const next = authority.issue()
    const context = tls.createSecureContext({ ca: [] })
    setCertificate(context, Buffer.from(next.chainPem))
    setPrivateKey(context, Buffer.from(next.keyPem))
    const before = currentContext(server)
    pointAt(server, context)
    assert.equal(currentContext(server), context)
    assert.notEqual(before, context)
    const seen = await handshake({ port, waitForSession: false, alpn: kind === 'http2' ? ['h2'] : undefined })
    assert.equal(seen.fingerprint256, next.fingerprint256)
  })
}

test('the client certificate policy can be read on every kind of server', () => {
  const mutual = { ...options, ca: authority.certPem, requestCert: true, rejectUnauthorized: false }
  for (const server of [
    tls.createServer(mutual),
    https.createServer(mutual),
    http2.createSecureServer(mutual),
  ]) {
    assert.deepEqual(peerPolicyOf(server), { requestCert: true, rejectUnauthorized: false })
  }
  assert.deepEqual(peerPolicyOf(tls.createServer(options)), { requestCert: false, rejectUnauthorized: true })
})

test(`the fields by which a server selects certificates, and its protocols, can be read on Node ${process.version}`, () => {
  const names = ['a.example', '*.b-c.example', 'x+y.example']
  for (const server of [
    tls.createServer(options),
    https.createServer(options),
    http2.createSecureServer(options),
  ]) {
    assert.deepEqual([addedNames(server), sniCallbackOf(server)], [[], null])
    for (const name of names) server.addContext(name, options)
    assert.deepEqual(addedNames(server), names)
    const own = tls.createSecureContext(options)
    server.addContext('*.b-c.example', own)
    assert.equal(addedContextFor(server, 'a.b-c.example'), own.context)
    assert.equal(addedContextFor(server, 'elsewhere.example'), undefined)
  }
  const SNICallback = () => {}
  assert.equal(sniCallbackOf(https.createServer({ ...options, SNICallback })), SNICallback)
  assert.deepEqual(protocolsOf(tls.createServer(options)), [])
  assert.deepEqual(protocolsOf(https.createServer(options)), ['http/1.1'])
  assert.deepEqual(protocolsOf(http2.createSecureServer(options)), ['h2'])
  assert.deepEqual(protocolsOf(http2.createSecureServer({ ...options, allowHTTP1: true })), [
    'h2',
    'http/1.1',
  ])
})

test(`ticket keys of the options can be distinguished from those of setTicketKeys() on Node ${process.version}`, () => {
  const ticketKeys = randomBytes(48)
  const server = tls.createServer({ ...options, ticketKeys })
  assert.equal(ticketKeysOptionOf(server), ticketKeys)
  server.setTicketKeys(randomBytes(48))
  assert.equal(ticketKeysOptionOf(server), ticketKeys)
  assert.equal(ticketKeysOptionOf(tls.createServer(options)), undefined)
})

test('OpenSSL detects a key that does not match, and gets nothing but PEM bytes', () => {
  const context = tls.createSecureContext({ ca: [] })
  setCertificate(context, Buffer.from(leaf.chainPem))
  assert.throws(() => setPrivateKey(context, Buffer.from(authority.issue().keyPem)))
  assert.throws(() => setPrivateKey(context, new Uint8Array(0)), TypeError)
  assert.throws(() => setCertificate(context, 'pem' as unknown as Uint8Array), TypeError)
})

test('a context with an unknown shape is not changed', () => {
  const strange = { context: { addCACert() {} } } as unknown as tls.SecureContext
  assert.throws(() => setCertificate(strange, Buffer.from('x')), TypeError)
  closeContext(strange)
  const server = { _sharedCreds: {} } as unknown as tls.Server
  assert.equal(canPoint(server), false)
})

test('a server or a connection with an unknown shape is not recognized, and counts as requiring a certificate', () => {
  const server = {} as tls.Server
  assert.deepEqual(
    [peerPolicyOf(server), currentContext(server), sniCallbackOf(server)],
    [undefined, undefined, undefined],
  )
  assert.deepEqual(
    [addedNames(server), addedContextFor(server, 'a.example'), protocolsOf(server)],
    [[], undefined, []],
  )
  assert.deepEqual([ticketKeysOptionOf(server), sessionIdContextOf(server)], [undefined, undefined])
  const socket = { getSession: () => undefined } as unknown as tls.TLSSocket
  assert.deepEqual(
    [acceptingContext(socket), acceptingServer(socket), rawSocketOf(socket)],
    [undefined, undefined, undefined],
  )
  assert.deepEqual(acceptingPolicy(socket), { requestCert: true, rejectUnauthorized: true })
  assert.deepEqual([sessionIdContextFor(socket), hasPeerCertificate(socket)], [undefined, false])
})

test('connections outlive the context that accepted them', async (t) => {
  const server = tls.createServer(options, (socket) => socket.pipe(socket))
  const port = await listen(t, server)
  const open = await handshake({ port, keepOpen: true })
  const old = currentContext(server)
  pointAt(server, tls.createSecureContext(options))
  if (old) closeContext(old)
  open.socket.write('still here')
  const [echo] = await new Promise<Buffer[]>((resolve) => open.socket.once('data', (data) => resolve([data])))
  assert.equal(String(echo), 'still here')
  await open.close()
})

const MUTUAL = { ...options, ca: authority.certPem, requestCert: true, rejectUnauthorized: false }

for (const [kind, create] of Object.entries({
  tls: () => tls.createServer(MUTUAL),
  https: () => https.createServer(MUTUAL),
  http2: () => http2.createSecureServer({ ...MUTUAL, allowHTTP1: true }),
})) {
  test(`a TLS socket of a node:${kind} server knows its context, its server and the stream under it on Node ${process.version}`, async (t) => {
    const server = create()
    const port = await listen(t, server)
    const context = currentContext(server)
    const raw: unknown[] = []
    const seen: unknown[] = []
    server.on('connection', (stream) => raw.push(stream))
    server.prependListener('secureConnection', (socket: tls.TLSSocket) => {
      seen.push(acceptingContext(socket), acceptingServer(socket), rawSocketOf(socket))
      seen.push(acceptingPolicy(socket), sessionIdContextFor(socket), hasPeerCertificate(socket))
    })
    const policy = { requestCert: true, rejectUnauthorized: false }
    const sessionId = sessionIdContextOf(server)
    assert.equal(sessionId?.length, 32)
    await handshake({ port, waitForSession: false })
    await handshake({ port, waitForSession: false, cert: leaf.certPem, key: leaf.keyPem })
    assert.deepEqual(seen, [
      context,
      server,
      raw[0],
      policy,
      sessionId,
      false,
      context,
      server,
      raw[1],
      policy,
      sessionId,
      true,
    ])
  })
}

test('a TLS socket over a stream that is not a socket knows that stream', async () => {
  const server = tls.createServer(options)
  const [near, far] = duplexPair()
  const accepted = once(server, 'secureConnection')
  server.emit('connection', far)
  const client = tls.connect({ socket: near, rejectUnauthorized: false })
  const [socket] = (await accepted) as [tls.TLSSocket]
  assert.equal(rawSocketOf(socket), far)
  client.destroy()
  socket.destroy()
})

test('Node calls the SNI callback as a method of the TLS socket', async (t) => {
  const seen: unknown[] = []
  const server: tls.Server = tls.createServer({
    ...options,
    SNICallback(this: unknown, _name: string, done: (error: null) => void) {
      seen.push(this instanceof tls.TLSSocket && acceptingServer(this) === server)
      done(null)
    },
  })
  const port = await listen(t, server)
  await handshake({ port, waitForSession: false })
  assert.deepEqual(seen, [true])
})

test('a renegotiation emits `secure` once more on the TLS socket of a server', async (t) => {
  const server = tls.createServer(options)
  const port = await listen(t, server)
  const accepted = once(server, 'secureConnection')
  const client = await handshake({ port, maxVersion: 'TLSv1.2', keepOpen: true, waitForSession: false })
  const [socket] = (await accepted) as [tls.TLSSocket]
  const again = once(socket, 'secure')
  client.socket.renegotiate({ rejectUnauthorized: false }, () => {})
  await again
  await client.close()
})

test(`whether a resumed client without a certificate is authorized is known on Node ${process.version}`, async (t) => {
  const server = tls.createServer(MUTUAL, (socket) => socket.on('error', () => {}).pipe(socket))
  const verdicts: boolean[] = []
  server.on('secureConnection', (socket) => verdicts.push(socket.authorized))
  const port = await listen(t, server)
  const { session } = await handshake({ port, confirm: true })
  const again = await handshake({ port, confirm: true, session })
  assert.deepEqual([again.protocol, again.reused], ['TLSv1.3', true])
  assert.deepEqual(verdicts, [false, authorizesResumedWithoutCertificate()])
})

test('releases of Node whose resumption authorizes every client are recognized by their number', () => {
  const affected = ['20.20.2', '22.23.3', '24.20.9', '25.9.0', '26.9.0'].map(
    authorizesResumedWithoutCertificate,
  )
  assert.deepEqual(affected, [true, true, true, true, true])
  const mended = ['24.21.0', '24.22.1', '26.10.0', '27.0.0', '28.1.0'].map(
    authorizesResumedWithoutCertificate,
  )
  assert.deepEqual(mended, [false, false, false, false, false])
})
