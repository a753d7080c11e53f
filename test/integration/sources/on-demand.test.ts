/* Hosts on demand: the first handshake for a name requests its host from a source. */

import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import type { OnDemandOptions, ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'
import { HostStore } from '../../../support/sources/host-store.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const authority = createAuthority()

test('the first handshake for a name waits for its host, later ones get it without a query, and nothing is loaded at the start', async (t) => {
  const { store, shown, engine, put, first } = await site(t)
  const leaf = put('a.example')
  put('b.example')
  assert.deepEqual(store.asked, [])
  assert.equal(engine.servingFor('a.example')?.fingerprint256, first.fingerprint256)
  assert.equal(await shown('a.example'), leaf.fingerprint256)
  assert.equal(await shown('A.Example'), leaf.fingerprint256)
  assert.equal(await shown('a.example', { maxVersion: 'TLSv1.2' }), leaf.fingerprint256)
  assert.deepEqual(store.asked, ['a.example null'])
  assert.equal(engine.servingFor('a.example')?.fingerprint256, leaf.fingerprint256)
  const status = engine.status().onDemand
  assert.deepEqual(
    [status?.source, status?.hosts, status?.pending, status?.queries.delivered],
    ['store', 1, 0, 1],
  )
  assert.deepEqual(
    store.reports.map(({ host, outcome, generation }) => [host, outcome, generation]),
    [['a.example', 'served', 1]],
  )
})

test('a thousand clients of one cold name are one query, and all get its certificate', async (t) => {
  const { store, port, put, server } = await site(t, { timeoutMs: 30_000 })
  const leaf = put('a.example')
  const answer = { version: '1', cert: leaf.chainPem, key: leaf.keyPem }
  const arrived = new Promise<void>((resolve) => {
    let count = 0
    server.on('connection', () => ++count === 1000 && resolve())
  })
  store.answer = async () => {
    await arrived
    return answer
  }
  const options = { port, servername: 'a.example', waitForSession: false, timeoutMs: 60_000 }
  const shown = await Promise.all(Array.from({ length: 1000 }, () => handshake(options)))
  assert.deepEqual(new Set(shown.map(({ fingerprint256 }) => fingerprint256)), new Set([leaf.fingerprint256]))
  assert.deepEqual(store.asked, ['a.example null'])
})

test('names outside `allow`, and what is not a DNS name, are never requested and get the default certificate', async (t) => {
  const { store, shown, first, callback, put } = await site(t)
  for (const name of ['a.elsewhere', 'example', 'a.example.', 'localhost', ''])
    assert.equal(await shown(name), first.fingerprint256, name)
  const label = 'a'.repeat(63)
  const odd = ['192.0.2.1', '2001:db8::1', 'a\0b.example', 'bücher.example', 'a..example', '.example']
  for (const name of [...odd, `${`${label}.`.repeat(4)}example`, `${'a'.repeat(300)}.example`])
    assert.equal(await callback(name), undefined, JSON.stringify(name))
  assert.deepEqual(store.asked, [])
  const idn = put('xn--bcher-kva.example')
  assert.equal(await shown('XN--BCHER-KVA.example'), idn.fingerprint256)
  assert.deepEqual(store.asked, ['xn--bcher-kva.example null'])
})

test('`allow` takes Unicode names and capital letters, and `*` allows every name', async (t) => {
  const { shown, put } = await site(t, { allow: ['Bücher.example'] })
  const leaf = put('xn--bcher-kva.example')
  assert.equal(await shown('xn--bcher-kva.example'), leaf.fingerprint256)
  const every = await site(t, { allow: ['*'] })
  const other = every.put('any.name.elsewhere')
  assert.equal(await every.shown('any.name.elsewhere'), other.fingerprint256)
})

test('a flood of names that do not exist leaves known names, pending queries and memory as they are', async (t) => {
  const { store, shown, callback, put, engine, first } = await site(t)
  const leaf = put('a.example')
  await shown('a.example')
  const flood = Array.from({ length: 20_000 }, (_, i) => callback(`x${i}.example`))
  assert.equal(engine.status().onDemand?.pending, 100)
  assert.equal(await shown('a.example'), leaf.fingerprint256)
  assert.deepEqual(new Set(await Promise.all(flood)), new Set([undefined]))
  for (let i = 0; i < 20; i++) assert.equal(await shown(`y${i}.example`), first.fingerprint256)
  assert.equal(await shown('a.example'), leaf.fingerprint256)
  const { pending = -1, absent = 0, hosts, skipped } = engine.status().onDemand ?? {}
  assert.deepEqual([pending, hosts, skipped?.busy], [0, 1, 19_900])
  assert.ok(absent <= 10_000)
  assert.equal(store.asked.length, 1 + 100 + 20)
})

test('every name that was served keeps being served while the store is unavailable, and is renewed afterwards', async (t) => {
  const { store, shown, put, first, engine, logger } = await site(t, { refreshSeconds: 1 })
  const names = ['a.example', 'b.example', 'c.example']
  const leaves = names.map((name) => put(name))
  for (const [i, name] of names.entries()) assert.equal(await shown(name), leaves[i]?.fingerprint256)
  store.fail()
  for (const name of names) store.push(name)
  for (let i = 0; i < 10; i++) assert.equal(await shown(`cold${i}.example`), first.fingerprint256)
  await eventually('the outage shows', () => engine.status().onDemand?.problem?.code === 'SOURCE_UNREACHABLE')
  for (const [i, name] of names.entries()) assert.equal(await shown(name), leaves[i]?.fingerprint256)
  assert.equal(engine.status().onDemand?.hosts, 3)
  const renewed = names.map((name) => put(name))
  store.answer = null
  for (const [i, name] of names.entries()) {
    await eventually(`${name} is renewed`, async () => (await shown(name)) === renewed[i]?.fingerprint256)
  }
  assert.equal(engine.status().onDemand?.failingSince, null)
  const lines = logger.lines.filter(({ message }) => message.includes('the source of hosts on demand'))
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['warn', 'info'],
  )
})

test('a source that hangs costs one time limit, and the client gets the default certificate', async (t) => {
  const { store, shown, first } = await site(t, { timeoutMs: 200 })
  let aborted = 0
  store.answer = ({ signal }) => {
    signal.addEventListener('abort', () => aborted++)
    return new Promise(() => {})
  }
  const started = performance.now()
  const [a, b] = await Promise.all([shown('a.example'), shown('a.example')])
  assert.deepEqual([a, b], [first.fingerprint256, first.fingerprint256])
  assert.ok(performance.now() - started >= 195)
  assert.deepEqual([store.asked.length, aborted], [1, 1])
})

test('clients that leave while they wait harm nobody: the host is in service for the next one', async (t) => {
  const { store, shown, port, put, engine, server } = await site(t)
  const leaf = put('a.example')
  let release = () => {}
  store.answer = () =>
    new Promise((resolve) => {
      release = () => resolve({ version: '1', cert: leaf.chainPem, key: leaf.keyPem })
    })
  let [arrived, gone] = [0, 0]
  server.on('connection', () => arrived++).on('tlsClientError', () => gone++)
  const sockets = Array.from({ length: 20 }, () => tls.connect({ port, servername: 'a.example' }))
  for (const socket of sockets) socket.on('error', () => {})
  await eventually('all wait', () => engine.status().onDemand?.pending === 1)
  await eventually('all are connected', () => arrived === 20)
  for (const socket of sockets) socket.destroy()
  await eventually('all have left', () => gone === 20)
  release()
  assert.equal(await shown('a.example'), leaf.fingerprint256)
  assert.equal(store.asked.length, 1)
})

test('a name that the application serves, and one that `policy.nameClaims` protects, are not requested', async (t) => {
  const { store, shown, server } = await site(t)
  const added = authority.issue({ names: ['b.example'] })
  server.addContext('b.example', { cert: added.chainPem, key: added.keyPem })
  assert.equal(await shown('b.example'), added.fingerprint256)
  const dir = tempDir(t)
  const first = authority.issue({ names: ['*.example'] })
  const policy = { nameClaims: ['allowed.example'] }
  const claims = await site(t, {}, { ...writePair(dir, first), policy })
  const leaf = claims.put('allowed.example')
  assert.equal(await claims.shown('a.example'), first.fingerprint256)
  assert.equal(await claims.shown('allowed.example'), leaf.fingerprint256)
  assert.deepEqual([...store.asked, ...claims.store.asked], ['allowed.example null'])
})

test('without a host, `unknownHosts: refuse` refuses the handshake, and a name that exists is served', async (t) => {
  const { shown, put } = await site(t, {}, { unknownHosts: 'refuse' })
  const leaf = put('a.example')
  assert.equal(await shown('a.example'), leaf.fingerprint256)
  await assert.rejects(shown('b.example'))
  await assert.rejects(shown('c.elsewhere'))
})

test('a push renews a host, `none` removes it, and both without a handshake', async (t) => {
  const { store, shown, put, engine, first } = await site(t)
  put('a.example')
  await shown('a.example')
  const renewed = put('a.example')
  store.push('a.example')
  await eventually(
    'it is renewed',
    () => engine.servingFor('a.example')?.fingerprint256 === renewed.fingerprint256,
  )
  assert.equal(await shown('a.example'), renewed.fingerprint256)
  store.remove('a.example')
  store.push('a.example')
  await eventually('it is removed', () => engine.status().onDemand?.hosts === 0)
  assert.equal(await shown('a.example'), first.fingerprint256)
  put('a.example')
  store.push('a.example')
  assert.notEqual(await shown('a.example'), first.fingerprint256)
})

test('material that is refused reaches no client: its problem is reported, and the earlier host stays', async (t) => {
  const { store, shown, put, first, logger } = await site(t)
  const other = authority.issue({ names: ['b.example'] })
  store.put('a.example', { chainPem: other.chainPem, keyPem: authority.issue().keyPem })
  store.put('b.example', { chainPem: 'not a certificate', keyPem: other.keyPem })
  store.put('c.example', authority.issue({ names: ['elsewhere.example'] }))
  store.answer = null
  for (const name of ['a.example', 'b.example', 'c.example'])
    assert.equal(await shown(name), first.fingerprint256, name)
  const leaf = put('d.example')
  assert.equal(await shown('d.example'), leaf.fingerprint256)
  store.put('d.example', { chainPem: leaf.chainPem, keyPem: other.keyPem })
  store.push('d.example')
  await eventually('it is reported', () => store.reports.length === 5)
  assert.equal(await shown('d.example'), leaf.fingerprint256)
  assert.deepEqual(
    store.reports.map(({ host, outcome, problems }) => [host, outcome, problems[0]?.code, problems[0]?.host]),
    [
      ['a.example', 'refused', 'CERT_KEY_MISMATCH', 'a.example'],
      ['b.example', 'refused', 'CERT_MISSING', 'b.example'],
      ['c.example', 'refused', 'NAME_NOT_COVERED', 'c.example'],
      ['d.example', 'served', undefined, undefined],
      ['d.example', 'refused', 'CERT_KEY_MISMATCH', 'd.example'],
    ],
  )
  assert.equal(logger.lines.filter(({ message }) => message.includes('was refused')).length, 1)
  assert.doesNotMatch(JSON.stringify([store.reports, logger.lines]), /PRIVATE|not a certificate/)
})

test('a bundle with the key first, and DER, are served like separate PEM', async (t) => {
  const { store, shown } = await site(t)
  const leaf = authority.issue({ names: ['a.example', 'b.example'] })
  store.answer = ({ name }) =>
    name === 'a.example'
      ? { version: '1', bundle: Buffer.from(leaf.keyPem + leaf.chainPem) }
      : {
          version: '1',
          cert: new X509Certificate(leaf.certPem).raw,
          key: createPrivateKey(leaf.keyPem).export({ type: 'pkcs8', format: 'der' }),
        }
  assert.equal(await shown('a.example'), leaf.fingerprint256)
  assert.equal(await shown('b.example'), leaf.fingerprint256)
})

test('the metrics show hosts, queries by result, and an outage of the source', async (t) => {
  const { store, shown, put, engine } = await site(t)
  const metrics = createMetrics(engine)
  put('a.example')
  for (const name of ['a.example', 'none.example', 'none.example', 'a.elsewhere']) await shown(name)
  store.fail('SOURCE_DENIED')
  await shown('c.example')
  const text = await metrics.text()
  const since = Date.parse(engine.status().onDemand?.failingSince ?? '') / 1000
  for (const line of [
    'hosts{source="store"} 1',
    'pending{source="store"} 0',
    `failing_since_timestamp_seconds{source="store"} ${since}`,
    'queries_total{source="store",outcome="delivered"} 1',
    'queries_total{source="store",outcome="none"} 1',
    'queries_total{source="store",outcome="SOURCE_DENIED"} 1',
    'skipped_total{source="store",reason="absent"} 1',
    'skipped_total{source="store",reason="not-allowed"} 1',
    'refused_total{source="store"} 0',
    'evicted_total{source="store"} 0',
  ])
    assert.ok(text.includes(`certswap_on_demand_${line}\n`), `${line} in ${text}`)
})

test('a renewal, an update and a rollback of the default certificate leave hosts on demand in service', async (t) => {
  const { store, shown, put, engine, dir } = await site(t)
  const leaf = put('a.example')
  await shown('a.example')
  const second = authority.issue()
  writePair(dir, second)
  assertApplied(await engine.reload())
  assert.equal(await shown('localhost'), second.fingerprint256)
  assert.equal(await shown('a.example'), leaf.fingerprint256)
  const asked = ['a.example null']
  for (const act of [() => engine.update({ tls: { maxVersion: 'TLSv1.2' } }), () => engine.rollback()]) {
    assertApplied(await act())
    assert.equal(await shown('a.example'), leaf.fingerprint256)
    assert.deepEqual(store.asked, asked)
    // The policy is the same, so the host need not be delivered and judged again.
    store.push('a.example')
    asked.push('a.example 1')
    await eventually('the host is compared', () => store.asked.length === asked.length)
    assert.deepEqual(store.asked, asked)
  }
})

test('the trust of the engine applies to a host on demand, and its change as well', async (t) => {
  const [kept, removed] = [createAuthority(), createAuthority()]
  const dir = tempDir(t)
  const ca = `${dir}/ca.pem`
  overwriteInPlace(ca, kept.certPem + removed.certPem)
  const { port, put, engine } = await site(t, {}, { ca, requestCert: true })
  const leaf = put('a.example')
  const identityOf = (one: typeof kept) => {
    const { chainPem, keyPem } = one.issue({ names: ['client'] })
    return { cert: chainPem, key: keyPem }
  }
  const clients = { kept: identityOf(kept), removed: identityOf(removed) }
  const connect = (identity: object) =>
    handshake({ port, servername: 'a.example', confirm: true, ...identity })
  assert.equal((await connect(clients.kept)).fingerprint256, leaf.fingerprint256)
  assert.equal((await connect(clients.removed)).fingerprint256, leaf.fingerprint256)
  await assert.rejects(connect(identityOf(createAuthority())))
  overwriteInPlace(ca, kept.certPem)
  assertApplied(await engine.reload())
  assert.equal((await connect(clients.kept)).fingerprint256, leaf.fingerprint256)
  await assert.rejects(connect(clients.removed))
})

test('beyond `maxHosts` the least recently used host is removed, and requested again', async (t) => {
  const { store, shown, put, engine } = await site(t, { maxHosts: 2 })
  const leaves = new Map(['a.example', 'b.example', 'c.example'].map((name) => [name, put(name)]))
  for (const name of ['a.example', 'b.example', 'a.example', 'c.example', 'a.example', 'b.example'])
    assert.equal(await shown(name), leaves.get(name)?.fingerprint256)
  assert.deepEqual(store.asked, ['a.example null', 'b.example null', 'c.example null', 'b.example null'])
  assert.deepEqual([engine.status().onDemand?.hosts, engine.status().onDemand?.evicted], [2, 2])
})

test('`source: true` uses the engine’s own source for its hosts, and passes on its pushes', async (t) => {
  const first = authority.issue()
  const own = Object.assign(new MemorySource(deliveryOf(first, '1')), {
    readHost: async ({ name, version }: { name: string; version: string | null }) => {
      asked.push(`${name} ${version}`)
      return { version: '1', cert: leaf.chainPem, key: leaf.keyPem }
    },
  })
  const asked: string[] = []
  const leaf = authority.issue({ names: ['a.example'] })
  const engine = await startEngine(t, {
    source: own,
    hosts: { onDemand: { source: true, allow: ['a.example'] } },
  })
  const port = await serveEcho(t, engine)
  assert.equal(await servedBy(port), first.fingerprint256)
  assert.equal(await servedBy(port, { servername: 'a.example' }), leaf.fingerprint256)
  own.push()
  await eventually('the host is compared', () => asked.length === 2)
  assert.deepEqual(asked, ['a.example null', 'a.example 1'])
})

test('close() ends queries and closes the source, and the servers keep the hosts that they serve', async (t) => {
  const { store, shown, put, engine, first } = await site(t)
  const leaf = put('a.example')
  await shown('a.example')
  store.answer = () => new Promise(() => {})
  const waiting = shown('b.example')
  await eventually('it is pending', () => engine.status().onDemand?.pending === 1)
  await engine.close()
  assert.equal(store.isClosed, true)
  assert.equal(await waiting, first.fingerprint256)
  assert.equal(await shown('a.example'), leaf.fingerprint256)
})

test('hosts on demand cannot be changed, added or removed while the engine runs', async (t) => {
  const { engine, store } = await site(t)
  const refused = { code: 'OPTIONS_INVALID' }
  await assert.rejects(engine.update({ hosts: {} }), refused)
  await assert.rejects(engine.update({ hosts: { onDemand: { source: store, allow: ['*'] } } }), refused)
  await assert.rejects(
    engine.update({ hosts: { onDemand: { source: new HostStore(), allow: ['*.example'] } } }),
    refused,
  )
  assertApplied(await engine.update({ policy: { namesLost: 'reject' } }))
})

interface Site {
  readonly store: HostStore
  readonly engine: ReloadEngine
  readonly server: tls.Server
  readonly port: number
  readonly dir: string
  /** The default certificate. */
  readonly first: Leaf
  readonly logger: ReturnType<typeof recordingLogger>
  /** Puts a new certificate for this name into the store. */
  put(name: string): Leaf
  /** The fingerprint that a client gets for this server name. */
  shown(servername: string, options?: { maxVersion: 'TLSv1.2' }): Promise<string | undefined>
  /** The result of the callback for a server name, which may be one that no client can send. */
  callback(servername: string): Promise<unknown>
}

async function site(
  t: TestContext,
  onDemand: Partial<OnDemandOptions> = {},
  options: Partial<ReloadEngineOptions> = {},
): Promise<Site> {
  const store = new HostStore()
  const dir = tempDir(t)
  const first = authority.issue()
  const logger = recordingLogger()
  const hosts = { onDemand: { source: store, allow: ['*.example'], ...onDemand } }
  const engine = await startEngine(t, { ...writePair(dir, first), hosts, logger, ...options })
  const serverOptions = engine.serverOptions()
  const server = createEcho(serverOptions)
  engine.attach(server)
  const port = await listen(t, server)
  return {
    ...{ store, engine, server, port, dir, first, logger },
    put(name) {
      const leaf = authority.issue({ names: [name] })
      store.put(name, leaf)
      return leaf
    },
    shown: (servername, more = {} as { maxVersion: 'TLSv1.2' }) => servedBy(port, { servername, ...more }),
    callback: (servername) =>
      new Promise((resolve, reject) => {
        serverOptions.SNICallback?.call(undefined, servername, (error, context) =>
          error ? reject(error) : resolve(context),
        )
      }),
  }
}
