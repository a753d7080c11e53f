/* `certificateProvider()`: one channel and one server of `@grpc/grpc-js` for all generations. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import grpc from '@grpc/grpc-js'

import { type CertificateProvider, certificateProvider } from '../../../src/main/grpc/index.js'
import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { startExample } from '../../../support/processes/example-process.js'
import { greeterService } from '../../../support/servers/greeter.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const GreeterClient = grpc.makeGenericClientConstructor(greeterService, 'Greeter')
const { createCertificateProviderChannelCredentials, createCertificateProviderServerCredentials } =
  grpc.experimental

test('under load, both sides are renewed 20 times without a failed call: the next connection shows the new certificate, an open one keeps its own', async (t) => {
  const { server, client, call, reconnect, watch, served } = await bothSides(t)
  const first = client.leaf
  const open = watch()
  assert.equal(await open.next(), first.serial)
  const load = callsUnder(call)
  for (let i = 0; i < 20; i++) {
    await server.renew()
    const { serial } = await client.renew()
    reconnect()
    await eventually('the server sees the renewed client', async () => (await call()) === serial)
    assert.equal(await served(), server.leaf.fingerprint256)
  }
  assert.deepEqual(await load.stop(), [])
  assert.equal(await open.next(), first.serial)
})

test('under load, the CA of the server is replaced without a failed call, and the removed CA is then refused', async (t) => {
  const { server, client, call, reconnect } = await bothSides(t)
  const [former, next] = [server.authority, createAuthority()]
  const load = callsUnder(call)
  await client.trust(former, next)
  await server.renew(next)
  await client.renew()
  reconnect()
  await eventually('the channel has connected again', async () => (await call()) === client.leaf.serial)
  await client.trust(next)
  await client.renew()
  reconnect()
  await eventually('and again', async () => (await call()) === client.leaf.serial)
  assert.deepEqual(await load.stop(), [])
  await server.renew(former)
  reconnect()
  await eventually('the removed CA is refused', async () => (await refusal(call())) !== null)
  await server.renew(next)
  await eventually('the channel connects again', async () => (await refusal(call())) === null)
})

test('under load, the CA of the clients is replaced without a failed call, and a client of the removed CA is then refused', async (t) => {
  const { server, client, call, reconnect } = await bothSides(t)
  const [former, next] = [client.authority, createAuthority()]
  const load = callsUnder(call)
  await server.trust(former, next)
  const { serial } = await client.renew(next)
  reconnect()
  await eventually('the server sees the renewed client', async () => (await call()) === serial)
  await server.trust(next)
  const renewed = await client.renew(next)
  reconnect()
  await eventually('the channel has connected again', async () => (await call()) === renewed.serial)
  assert.deepEqual(await load.stop(), [])
  await client.renew(former)
  reconnect()
  await eventually('the removed CA is refused', async () => (await refusal(call())) !== null)
})

test('files that cannot be loaded change nothing', async (t) => {
  const { server, client, call, reconnect, served } = await bothSides(t)
  for (const side of [server, client]) {
    writeFileSync(side.pair.cert, 'no certificate')
    writeFileSync(side.ca, '')
    assert.equal((await side.engine.reload()).outcome, 'rejected')
  }
  reconnect()
  assert.equal(await call(), client.leaf.serial)
  assert.equal(await served(), server.leaf.fingerprint256)
})

test('a listener gets the current certificates, each later one once, never null, and none after it is removed', async (t) => {
  const side = await sideOf(t, createAuthority(), createAuthority())
  const seen = await listening(side.provider)
  assert.deepEqual([seen.identities.length, seen.authorities.length], [1, 1])
  const leaf = await side.renew()
  assert.deepEqual([seen.identities.length, seen.authorities.length], [2, 1])
  assert.equal(String(seen.identities[1]?.certificate), leaf.chainPem)
  await side.trust(createAuthority())
  assert.deepEqual([seen.identities.length, seen.authorities.length], [2, 2])
  writeFileSync(side.pair.cert, 'no certificate')
  await side.engine.reload()
  await side.engine.rollback()
  assert.equal(seen.identities.length, 2)
  seen.stop()
  await side.renew()
  assert.deepEqual([seen.identities.length, seen.authorities.length], [2, 2])
  const { certificate } = side.leaf.chainPem ? { certificate: side.leaf.chainPem } : { certificate: '' }
  await side.engine.close()
  const late = await listening(side.provider)
  assert.equal(String(late.identities[0]?.certificate), certificate)
  assert.notEqual(late.identities[0]?.privateKey[0], 0)
})

test('a member of a fleet has a provider, which follows the primary', async (t) => {
  const side = await sideOf(t, createAuthority(), createAuthority())
  const member = await joinHere(t, side.engine)
  const seen = await listening(certificateProvider(member))
  const leaf = await side.renew()
  assert.deepEqual(seen.identities.map(({ certificate }) => String(certificate)).slice(1), [leaf.chainPem])
})

/** Engines whose terms gRPC would not keep, by the words of the refusal. */
const REFUSED: Readonly<
  Record<string, (site: { dir: string; authority: Authority }) => Partial<ReloadEngineOptions>>
> = {
  'public roots': () => ({ ca: 'default' }),
  'revocation lists': ({ dir, authority }) => {
    writeFileSync(join(dir, 'ca.crl'), authority.crl())
    return { crl: join(dir, 'ca.crl') }
  },
  peers: () => ({ requestCert: true, peers: { allow: [{ dns: 'a.example' }] } }),
}

for (const [words, change] of Object.entries(REFUSED)) {
  test(`an engine with ${words} has no provider, because gRPC would accept peers that the engine refuses`, async (t) => {
    const dir = tempDir(t)
    const authority = createAuthority()
    const ca = join(dir, 'ca.crt')
    overwriteInPlace(ca, authority.certPem)
    const options = { ...writePair(dir, authority.issue()), ca, ...change({ dir, authority }) }
    const engine = await startEngine(t, options)
    assert.throws(() => certificateProvider(engine), { code: 'OPTIONS_INVALID', message: new RegExp(words) })
  })
}

test('without `ca`, an engine has no provider', async (t) => {
  const engine = await startEngine(t, writePair(tempDir(t), createAuthority().issue()))
  assert.throws(() => certificateProvider(engine), { code: 'OPTIONS_INVALID', message: /public roots/ })
})

test('with trust domains, an engine has no provider', async (t) => {
  const authority = createAuthority()
  const trustDomains = { 'example.org': [authority.certDer] }
  const leaf = authority.issue({ uris: ['spiffe://example.org/web'] })
  const source = new MemorySource(deliveryOf(leaf, '1', { trustDomains }))
  const engine = await startEngine(t, { source })
  assert.throws(() => certificateProvider(engine), { code: 'OPTIONS_INVALID', message: /trust domains/ })
})

test('while the engine has rules about peers, gRPC gets no anchors, and an error is logged', async (t) => {
  const side = await sideOf(t, createAuthority(), createAuthority())
  const seen = await listening(side.provider)
  assertApplied(await side.engine.update({ requestCert: true, peers: { allow: [{ dns: 'a.example' }] } }))
  assert.deepEqual([seen.identities.length, seen.authorities], [1, [seen.authorities[0], undefined]])
  await side.renew()
  assert.deepEqual([seen.identities.length, seen.authorities.length], [2, 2])
  const lines = side.logger.lines.filter(({ level }) => level === 'error')
  assert.match(lines[0]?.message ?? '', /gRPC refuses new connections/)
  assertApplied(await side.engine.update({ peers: undefined }))
  assert.deepEqual(seen.authorities[2], seen.authorities[0])
})

test('while the engine has rules about peers, a server of gRPC accepts no client', async (t) => {
  const { server, client, call, reconnect } = await bothSides(t)
  assert.equal(await call(), client.leaf.serial)
  assertApplied(await server.engine.update({ requestCert: true, peers: { allow: [{ dns: 'a.example' }] } }))
  reconnect()
  await eventually('new connections are refused', async () => (await refusal(call())) !== null)
  assertApplied(await server.engine.update({ peers: undefined }))
  await eventually('clients connect again', async () => (await refusal(call())) === null)
})

test('anything but an open engine is refused', async (t) => {
  assert.throws(() => certificateProvider({} as ReloadEngine), { code: 'OPTIONS_INVALID' })
  const { engine } = await sideOf(t, createAuthority(), createAuthority())
  await engine.close()
  assert.throws(() => certificateProvider(engine), { code: 'CLOSED' })
})

test('the examples of both sides talk to each other, and go on after a renewal', async (t) => {
  const authority = createAuthority()
  const dir = tempDir(t)
  overwriteInPlace(join(dir, 'ca.crt'), authority.certPem)
  writePair(dir, authority.issue())
  const server = startExample(t, 'grpc/provider-server.js', { dir })
  const [, port] =
    /^listening on (\d+)$/.exec(await server.next((line) => line.startsWith('listening'))) ?? []
  const client = startExample(t, 'grpc/provider-client.js', { dir, args: [`localhost:${port}`] })
  const answered = () => client.next((line) => line === '0 hello')
  await answered()
  const renewed = authority.issue()
  writePair(dir, renewed)
  for (const example of [server, client]) assert.equal(await example.reloaded(), renewed.fingerprint256)
  await answered()
})

async function bothSides(t: TestContext) {
  const [servers, clients] = [createAuthority(), createAuthority()]
  const server = await sideOf(t, servers, clients)
  const client = await sideOf(t, clients, servers)
  const rpc = new grpc.Server()
  const serialOf = (call: { getAuthContext(): { sslPeerCertificate?: { serialNumber: string } } | null }) =>
    call.getAuthContext()?.sslPeerCertificate?.serialNumber ?? ''
  const watchers = new Set<() => void>()
  rpc.addService(greeterService, {
    greet: ((call, answer) => answer(null, { text: serialOf(call as never) })) as grpc.handleUnaryCall<
      unknown,
      unknown
    >,
    watch: ((call) => {
      watchers.add(() => call.write({ text: serialOf(call as never) }))
    }) as grpc.handleServerStreamingCall<unknown, unknown>,
  })
  t.after(() => rpc.forceShutdown())
  const credentials = createCertificateProviderServerCredentials(server.provider, server.provider, true)
  const port = await new Promise<number>((resolve, reject) => {
    rpc.bindAsync('localhost:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)))
  })
  const channel = new GreeterClient(
    `localhost:${port}`,
    createCertificateProviderChannelCredentials(client.provider, client.provider),
  )
  t.after(() => channel.close())
  const call = async (): Promise<string> =>
    await new Promise((resolve, reject) => {
      channel['greet']?.({ text: '' }, (error: Error | null, reply: { text: string }) =>
        error ? reject(error) : resolve(reply.text),
      )
    })
  return {
    ...{ server, client, call },
    /**
     * Ends the connection of the channel with GOAWAY. To be called again only when it has connected: grpc-js repeats a call that
     * such a connection refuses once.
     */
    reconnect: () => rpc.drain(`localhost:${port}`, 60_000),
    watch() {
      const stream = (channel['watch'] as (request: object) => NodeJS.ReadableStream & { cancel(): void })({
        text: '',
      })
      stream.on('error', () => {})
      t.after(() => stream.cancel())
      return {
        async next(): Promise<string> {
          const data = once(stream, 'data')
          await eventually('the call has arrived', () => watchers.size > 0)
          for (const write of watchers) write()
          return ((await data)[0] as { text: string }).text
        },
      }
    },
    /** The fingerprint of the certificate that the server shows. */
    async served(): Promise<string | undefined> {
      const socket = tls.connect({
        port,
        host: 'localhost',
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
      })
      socket.on('error', () => {})
      await once(socket, 'secureConnect')
      const shown = socket.getPeerX509Certificate()?.fingerprint256
      socket.destroy()
      return shown
    },
  }
}

/** An engine with a certificate of one CA that trusts another. */
async function sideOf(t: TestContext, authority: Authority, trusted: Authority) {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.crt')
  const issue = (from: Authority) => from.issue({ names: ['localhost'] })
  let leaf: Leaf = issue(authority)
  overwriteInPlace(ca, trusted.certPem)
  const pair = writePair(dir, leaf)
  const logger = recordingLogger()
  const engine = await startEngine(t, { ...pair, ca, logger })
  const reload = async () => assertApplied(await engine.reload())
  return {
    ...{ engine, ca, pair, authority, logger, provider: certificateProvider(engine) },
    get leaf() {
      return leaf
    },
    async renew(from: Authority = authority): Promise<Leaf> {
      leaf = issue(from)
      writePair(dir, leaf)
      await reload()
      return leaf
    },
    async trust(...authorities: Authority[]) {
      overwriteInPlace(ca, authorities.map(({ certPem }) => certPem).join(''))
      await reload()
    },
  }
}

/** Four loops of calls. */
function callsUnder(call: () => Promise<string>) {
  let isRunning = true
  const failures: unknown[] = []
  const loops = Array.from({ length: 4 }, async () => {
    while (isRunning) await call().catch((error: unknown) => failures.push(error))
  })
  return {
    async stop(): Promise<unknown[]> {
      isRunning = false
      await Promise.all(loops)
      return failures
    },
  }
}

async function refusal(call: Promise<unknown>): Promise<Error | null> {
  return await call.then(
    () => null,
    (error: Error) => error,
  )
}

async function listening(provider: CertificateProvider) {
  const identities: { certificate: Buffer; privateKey: Buffer }[] = []
  const authorities: Buffer[] = []
  const onIdentity = (update: { certificate: Buffer; privateKey: Buffer } | null) => {
    identities.push(update as NonNullable<typeof update>)
  }
  const onAuthorities = (update: { caCertificate: Buffer } | null) => {
    authorities.push(update?.caCertificate as Buffer)
  }
  provider.addIdentityCertificateListener(onIdentity)
  provider.addCaCertificateListener(onAuthorities)
  await new Promise((resolve) => setImmediate(resolve))
  return {
    ...{ identities, authorities },
    stop() {
      provider.removeIdentityCertificateListener(onIdentity)
      provider.removeCaCertificateListener(onAuthorities)
    },
  }
}
