/* `clientOptions()`: one object that a client library gets once, and copies for each connection. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'
import { inspect } from 'node:util'

import type {
  ContextClientOptions,
  PemClientOptions,
  ReloadEngine,
  ReloadEngineOptions,
} from '../../../src/main/index.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const authority = createAuthority({ name: 'Server CA' })
const clients = createAuthority({ name: 'Client CA' })

for (const as of ['context', 'pem'] as const) {
  test(`as ${as}: each new connection shows the current certificate, and those that are open keep theirs`, async (t) => {
    const { engine, renew, connect, first } = await site(t)
    const options = optionsOf(engine, as)
    const open = await connect(options)
    assert.equal(open.shown, first.fingerprint256)
    for (let i = 0; i < 3; i++) {
      const leaf = await renew()
      assert.equal((await connect(options)).shown, leaf.fingerprint256)
    }
    assert.equal(await open.asked(), first.fingerprint256)
  })

  test(`as ${as}: a CA that is added is trusted by the next connection, and the server of a removed CA is refused`, async (t) => {
    const other = createAuthority({ name: 'Next CA' })
    const { engine, trust, connect } = await site(t)
    const next = await peer(t, other.issue(), clients.certPem)
    const options = optionsOf(engine, as)
    await assert.rejects(connect(options, next), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    await trust(authority.certPem + other.certPem)
    await connect(options, next)
    await connect(options)
    await trust(other.certPem)
    await connect(options, next)
    await assert.rejects(connect(options), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  })

  test(`as ${as}: after the engine is closed, connections show its last certificate`, async (t) => {
    const { engine, renew, connect } = await site(t)
    const options = optionsOf(engine, as)
    const leaf = await renew()
    assert.equal((await connect(options)).shown, leaf.fingerprint256)
    await engine.close()
    assert.equal((await connect(options)).shown, leaf.fingerprint256)
    assert.throws(() => engine.clientOptions(), { code: 'CLOSED' })
  })

  test(`as ${as}: a member of a fleet has them too`, async (t) => {
    const { engine, renew, connect, first } = await site(t)
    const member = await joinHere(t, engine)
    const options = as === 'pem' ? member.clientOptions({ as }) : member.clientOptions()
    assert.equal((await connect(options)).shown, first.fingerprint256)
    const leaf = await renew()
    assert.equal((await connect(options)).shown, leaf.fingerprint256)
  })

  test(`as ${as}: they follow a source`, async (t) => {
    const [first, second] = [clients.issue(), clients.issue()]
    const more = { ca: [authority.certPem] }
    const source = new MemorySource(deliveryOf(first, '1', more))
    const engine = await startEngine(t, { source })
    const port = await peer(t, authority.issue(), clients.certPem)
    const options = optionsOf(engine, as)
    assert.equal((await connectTo(t, options, port)).shown, first.fingerprint256)
    source.set(deliveryOf(second, '2', more))
    assertApplied(await engine.reload())
    assert.equal((await connectTo(t, options, port)).shown, second.fingerprint256)
  })
}

test('the options with a context contain no key, and nothing for the library to decide', async (t) => {
  const { engine } = await site(t)
  const options = engine.clientOptions()
  assert.deepEqual(Object.keys(options), ['secureContext'])
  assert.doesNotMatch(inspect(options, { depth: 5, getters: true }), /PRIVATE KEY/)
})

test('PEM values of one generation are the same objects, because libraries build a context for each new value', async (t) => {
  const { engine, renew } = await site(t)
  const options = engine.clientOptions({ as: 'pem' })
  const { ca, cert, key } = options
  assert.equal(options.ca, ca)
  assert.equal(options.cert, cert)
  assert.equal(options.key, key)
  await renew()
  assert.notEqual(options.cert, cert)
  assert.match(String(key), /PRIVATE KEY/)
})

test('PEM options serve a library that hides the key from inspection, as pg does', async (t) => {
  const { engine, renew, connect } = await site(t)
  const options = engine.clientOptions({ as: 'pem' })
  Object.defineProperty(options, 'key', { enumerable: false })
  const leaf = await renew()
  assert.equal((await connect({ ...options, key: options.key })).shown, leaf.fingerprint256)
})

test('as pem: the server of a revoked certificate is refused, and the list is text, as libraries declare it', async (t) => {
  const revoked = authority.issue()
  const crl = join(tempDir(t), 'ca.crl')
  overwriteInPlace(crl, authority.crl({ revoked: [revoked.serial] }))
  const { engine, connect } = await site(t, { crl })
  const options = engine.clientOptions({ as: 'pem' })
  assert.match(options.crl?.[0] ?? '', /^-----BEGIN X509 CRL-----/)
  await connect(options)
  await assert.rejects(connect(options, await peer(t, revoked, clients.certPem)), { code: 'CERT_REVOKED' })
})

test('a name other than `context` and `pem` is refused', async (t) => {
  const { engine } = await site(t)
  const refused = { code: 'OPTIONS_INVALID', message: /`as`: expected 'context' or 'pem'/ }
  assert.throws(() => engine.clientOptions({ as: 'der' as 'context' }), refused)
})

test('with trust domains, a server is verified by its own trust domain', async (t) => {
  const [own, partner] = [createAuthority({ name: 'Own' }), createAuthority({ name: 'Partner' })]
  const trustDomains = { 'example.org': [own.certDer], 'partner.test': [partner.certDer] }
  const leaf = clients.issue({ uris: ['spiffe://example.org/client'] })
  const engine = await startEngine(t, { source: new MemorySource(deliveryOf(leaf, '1', { trustDomains })) })
  const options = engine.clientOptions()
  const id = { names: ['localhost'], uris: ['spiffe://example.org/web'] }
  await connectTo(t, options, await peer(t, own.issue(id), clients.certPem))
  const impostor = await peer(t, partner.issue(id), clients.certPem)
  await assert.rejects(connectTo(t, options, impostor), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
})

type Options = ContextClientOptions | PemClientOptions

function optionsOf(engine: ReloadEngine, as: 'context' | 'pem'): Options {
  return as === 'pem' ? engine.clientOptions({ as }) : engine.clientOptions()
}

async function site(t: TestContext, extra: Partial<ReloadEngineOptions> = {}) {
  const dir = tempDir(t)
  const first = clients.issue()
  const ca = `${dir}/ca.pem`
  overwriteInPlace(ca, authority.certPem)
  const engine = await startEngine(t, { ...writePair(dir, first), ca, ...extra })
  const port = await peer(t, authority.issue(), clients.certPem)
  const renew = async () => {
    const leaf = clients.issue()
    writePair(dir, leaf)
    assertApplied(await engine.reload())
    return leaf
  }
  const trust = async (pem: string) => {
    overwriteInPlace(ca, pem)
    assertApplied(await engine.reload())
  }
  const connect = (options: Options, to = port) => connectTo(t, options, to)
  return { engine, renew, trust, connect, first }
}

/** A server that requires client certificates, and answers with the fingerprint of the one that it was shown. */
async function peer(t: TestContext, leaf: { chainPem: string; keyPem: string }, ca: string): Promise<number> {
  const server = tls.createServer({ cert: leaf.chainPem, key: leaf.keyPem, ca, requestCert: true })
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write(socket.getPeerX509Certificate()?.fingerprint256 ?? 'none'))
  })
  return await listen(t, server)
}

/** As a library does: a copy of the options, made when it connects. */
async function connectTo(t: TestContext, options: Options, port: number) {
  const socket = tls.connect(Object.assign({ host: '127.0.0.1', port, servername: 'localhost' }, options))
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  const asked = () => answerOf(socket)
  return { socket, asked, shown: await asked() }
}

async function answerOf(socket: TLSSocket): Promise<string> {
  socket.write('?')
  const [answer] = await once(socket, 'data')
  return String(answer)
}
