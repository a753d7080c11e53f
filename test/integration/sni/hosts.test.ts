/*
 * Guards against one bad certificate that affects the others, many certificates that block the event loop, hosts added on
 * reload that are ignored (lavinmq#2129), and a default certificate that is not renewed (haproxy#1143, hitch#276).
 */
import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'

import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import {
  assertApplied,
  nextEvent,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { hostSite, putHost } from '../../../support/engine/host-site.js'
import { overwriteInPlace, renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

test('a client gets the certificate of the name that it requests, and the default one for any other name', async (t) => {
  const { put, shown, engine, first, port } = await hostSite(t, {})
  const exact = put('a.test')
  const wildcard = put('wild', { names: ['*.b.test'] })
  assertApplied(await engine.reload())
  assert.equal(await shown('a.test'), exact.fingerprint256)
  assert.equal(await shown('A.Test'), exact.fingerprint256)
  assert.equal(await shown('x.b.test'), wildcard.fingerprint256)
  for (const name of ['localhost', 'other.test', 'b.test', 'x.y.b.test', '']) {
    assert.equal(await shown(name), first.fingerprint256, JSON.stringify(name))
  }
  assert.equal((await handshake({ port, servername: 'a.test', ca: [] })).protocol, 'TLSv1.3')
  assert.equal(await servedBy(port, { servername: 'a.test', maxVersion: 'TLSv1.2' }), exact.fingerprint256)
  assert.equal(engine.servingFor('x.b.test')?.fingerprint256, wildcard.fingerprint256)
  assert.equal(engine.servingFor('other.test')?.fingerprint256, first.fingerprint256)
})

test('hosts can be given by name with their files, and are served from the start', async (t) => {
  const dir = tempDir(t)
  const authority = createAuthority()
  const [first, a, b] = [
    authority.issue(),
    authority.issue({ names: ['a.test'] }),
    authority.issue({ names: ['*.b.test'] }),
  ]
  const hosts = {
    'A.test': writePair(dir, a, { cert: 'a.crt', key: 'a.key' }),
    '*.b.test': writePair(dir, b, { cert: 'b.crt', key: 'b.key' }),
  }
  const engine = await startEngine(t, { ...writePair(dir, first), hosts })
  const port = await serveEcho(t, engine)
  assert.equal(await servedBy(port, { servername: 'a.test' }), a.fingerprint256)
  assert.equal(await servedBy(port, { servername: 'c.b.test' }), b.fingerprint256)
  assert.equal(engine.status().generation.hosts?.count, 2)
  assert.equal((await engine.reload()).outcome, 'unchanged')
})

test('hosts are added and removed at run time, and a renewed host changes no other', async (t) => {
  const { put, shown, engine, first, dir } = await hostSite(t, { 'a.test': {}, 'b.test': {} })
  const before = await shown('b.test')
  const renewed = put('a.test')
  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual(result.hosts, { served: 2, changed: 1, removed: 0 })
  assert.deepEqual(result.changed, [join(dir, 'hosts', 'a.test', 'tls.crt')])
  assert.equal(await shown('a.test'), renewed.fingerprint256)
  assert.equal(await shown('b.test'), before)

  rmSync(join(dir, 'hosts', 'a.test'), { recursive: true })
  const added = put('c.test')
  const second = await engine.reload()
  assert.deepEqual(second.hosts, { served: 2, changed: 1, removed: 1 })
  assert.equal(await shown('a.test'), first.fingerprint256)
  assert.equal(await shown('c.test'), added.fingerprint256)
  assert.equal((await engine.reload()).outcome, 'unchanged')
})

test('the timer detects changes of hosts, and renews the default certificate in the same pass', async (t) => {
  const { put, shown, engine, authority, dir } = await hostSite(
    t,
    { 'a.test': {} },
    { autoReloadInterval: 0.05 },
  )
  const applied = nextEvent(engine, 'applied', ({ hosts }) => hosts?.changed === 1)
  const renewed = put('a.test')
  await applied
  assert.equal(await shown('a.test'), renewed.fingerprint256)
  const next = nextEvent(engine, 'applied', ({ diff }) => diff !== null)
  const leaf = authority.issue()
  writePair(dir, leaf)
  await next
  assert.equal(await shown('localhost'), leaf.fingerprint256)
  assert.equal(await shown('a.test'), renewed.fingerprint256)
})

test('a broken host keeps its last good certificate and is named, while the others are renewed', async (t) => {
  const { put, shown, engine, dir } = await hostSite(t, { 'a.test': {}, 'b.test': {}, 'c.test': {} })
  const old = await shown('b.test')
  const renewed = put('a.test')
  put('b.test', {
    notAfter: new Date(Date.now() - 86_400_000),
    notBefore: new Date(Date.now() - 2 * 86_400_000),
  })
  const result = await engine.reload()
  assertApplied({ ...result, problems: [] })
  assert.deepEqual(
    result.problems.map(({ code, host }) => [code, host]),
    [['CERT_EXPIRED', join(dir, 'hosts', 'b.test')]],
  )
  assert.equal(await shown('a.test'), renewed.fingerprint256)
  assert.equal(await shown('b.test'), old)
  assert.deepEqual([engine.status().state, engine.status().consecutiveFailures], ['failing', 1])

  const again = await engine.reload()
  assert.deepEqual([again.outcome, again.problems.map(({ code }) => code)], ['rejected', ['CERT_EXPIRED']])
  const recovered = nextEvent(engine, 'recovered')
  const mended = put('b.test')
  assertApplied(await engine.reload())
  await recovered
  assert.equal(await shown('b.test'), mended.fingerprint256)
  assert.equal(engine.status().state, 'serving')
})

test('with all-or-nothing hosts, one broken host keeps all of them, and the default certificate, unchanged', async (t) => {
  const { put, shown, engine, authority, dir } = await hostSite(
    t,
    { 'a.test': {}, 'b.test': {} },
    { policy: { hosts: 'together' } },
  )
  const names = ['a.test', 'b.test', 'localhost']
  const before = await Promise.all(names.map(shown))
  put('a.test')
  writePair(dir, authority.issue())
  renameInto(join(dir, 'hosts', 'b.test', 'tls.crt'), 'nothing')
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.length], ['rejected', 1])
  assert.deepEqual(await Promise.all(names.map(shown)), before)
  put('b.test')
  assertApplied(await engine.reload())
  const after = await Promise.all(names.map(shown))
  assert.ok(after.every((one, i) => one !== before[i]))
})

test('a refused default certificate does not prevent the renewal of hosts', async (t) => {
  const { put, shown, engine, dir, first } = await hostSite(t, { 'a.test': {} })
  overwriteInPlace(join(dir, 'tls.crt'), 'nothing')
  const renewed = put('a.test')
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.length], ['applied', 1])
  assert.equal(await shown('a.test'), renewed.fingerprint256)
  assert.equal(await shown('localhost'), first.fingerprint256)
})

test('half of a host pair waits for the other half, and is checked again automatically', async (t) => {
  const { shown, engine, authority, dir } = await hostSite(t, { 'a.test': {} })
  const next = authority.issue({ names: ['a.test'] })
  renameInto(join(dir, 'hosts', 'a.test', 'tls.key'), next.keyPem)
  const waiting = await engine.reload()
  assert.equal(waiting.outcome, 'waiting-for-pair')
  const applied = nextEvent(engine, 'applied')
  renameInto(join(dir, 'hosts', 'a.test', 'tls.crt'), next.chainPem)
  await applied
  assert.equal(await shown('a.test'), next.fingerprint256)
})

test('half of a pair waits while another host is renewed', async (t) => {
  const { shown, engine, authority, dir, put } = await hostSite(t, { 'a.test': {}, 'b.test': {} })
  const next = authority.issue({ names: ['a.test'] })
  renameInto(join(dir, 'hosts', 'a.test', 'tls.key'), next.keyPem)
  const other = put('b.test')
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['applied', ['CERT_KEY_MISMATCH']])
  assert.equal(engine.status().state, 'waiting-for-pair')
  assert.equal(await shown('b.test'), other.fingerprint256)
  const applied = nextEvent(engine, 'applied')
  renameInto(join(dir, 'hosts', 'a.test', 'tls.crt'), next.chainPem)
  await applied
  assert.equal(await shown('a.test'), next.fingerprint256)
})

test('a broken host does not prevent the start of an engine; with all-or-nothing hosts it does', async (t) => {
  const dir = tempDir(t)
  const authority = createAuthority()
  const good = putHost(dir, authority, 'a.test')
  putHost(dir, authority, 'b.test')
  renameInto(join(dir, 'hosts', 'b.test', 'tls.key'), 'nothing')
  const options = { ...writePair(dir, authority.issue()), hosts: join(dir, 'hosts', '*') }
  await assert.rejects(
    startEngine(t, { ...options, policy: { hosts: 'together' } }),
    ({ problems: [problem] }) => {
      assert.equal(problem.host, join(dir, 'hosts', 'b.test'))
      return true
    },
  )
  const engine = await startEngine(t, options)
  const port = await serveEcho(t, engine)
  assert.equal(await servedBy(port, { servername: 'a.test' }), good.fingerprint256)
  assert.equal(engine.status().state, 'failing')
  const { problems } = engine.status().lastAttempt
  assert.deepEqual(
    problems.map(({ host }) => host),
    [join(dir, 'hosts', 'b.test')],
  )
})

test('if two hosts claim a name, the one that expires later serves it, with a warning', async (t) => {
  const days = (count: number) => new Date(Date.now() + count * 86_400_000)
  const { put, shown, engine } = await hostSite(t, {
    short: { names: ['a.test', 's.test'], notAfter: days(10) },
  })
  const long = put('long', { names: ['a.test', 'l.test'], notAfter: days(20) })
  const { warnings } = await engine.reload()
  assert.deepEqual(
    warnings
      .filter(({ code }) => code === 'HOST_NAME_TAKEN')
      .map(({ message }) => message.includes('a.test is claimed by')),
    [true],
  )
  assert.equal(await shown('a.test'), long.fingerprint256)
  assert.equal(await shown('s.test'), engine.servingFor('s.test')?.fingerprint256)
  const longest = put('short', { names: ['a.test', 's.test'], notAfter: days(30) })
  await engine.reload()
  assert.equal(await shown('a.test'), longest.fingerprint256)
  assert.equal(await shown('l.test'), long.fingerprint256)
})

test('an unknown name can be refused; the names of the default certificate and clients without SNI are served', async (t) => {
  const { put, shown, engine, first } = await hostSite(t, {}, { unknownHosts: 'refuse' })
  const host = put('a.test')
  await engine.reload()
  await assert.rejects(shown('other.test'))
  assert.equal(engine.servingFor('other.test'), null)
  assert.equal(await shown('a.test'), host.fingerprint256)
  assert.equal(await shown('localhost'), first.fingerprint256)
  assert.equal(await shown(''), first.fingerprint256)
})

test('a rollback restores the earlier hosts, and the timer ignores their files until they change', async (t) => {
  const { put, shown, engine } = await hostSite(t, { 'a.test': {}, 'b.test': {} })
  const [a, b] = [await shown('a.test'), await shown('b.test')]
  const renewed = put('a.test')
  const added = put('c.test')
  assertApplied(await engine.reload())
  assert.equal(await shown('a.test'), renewed.fingerprint256)
  assertApplied(await engine.rollback())
  assert.deepEqual([await shown('a.test'), await shown('b.test')], [a, b])
  assert.notEqual(await shown('c.test'), added.fingerprint256)

  engine.autoReloadInterval = 0.02
  assert.equal((await nextEvent(engine, 'checked')).outcome, 'unchanged')
  const applied = nextEvent(engine, 'applied')
  const other = put('b.test')
  assert.deepEqual((await applied).hosts, { served: 2, changed: 1, removed: 0 })
  assert.deepEqual([await shown('a.test'), await shown('b.test')], [a, other.fingerprint256])
  engine.autoReloadInterval = 0
  assertApplied(await engine.reload())
  assert.equal(await shown('a.test'), renewed.fingerprint256)
  assert.equal(await shown('c.test'), added.fingerprint256)
})

test('a directory that is briefly empty removes no host', async (t) => {
  const { put, shown, engine, dir } = await hostSite(t, { 'a.test': {}, 'b.test': {} })
  const old = await shown('a.test')
  const host = join(dir, 'hosts', 'a.test')
  rmSync(host, { recursive: true })
  mkdirSync(host)
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['FILE_NOT_FOUND']])
  assert.equal(await shown('a.test'), old)
  const renewed = put('a.test')
  assertApplied(await engine.reload())
  assert.equal(await shown('a.test'), renewed.fingerprint256)
})

test('if all directories vanish at once, the hosts stay in service unless the reload is forced', async (t) => {
  const { shown, engine, dir, first } = await hostSite(t, { 'a.test': {}, 'b.test': {} })
  const old = await shown('a.test')
  renameSync(join(dir, 'hosts'), join(dir, 'unmounted'))
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['FILE_NOT_FOUND']])
  assert.equal(await shown('a.test'), old)
  const forced = await engine.reload({ force: true })
  assert.deepEqual([forced.outcome, forced.hosts?.removed], ['applied', 2])
  assert.equal(await shown('a.test'), first.fingerprint256)
})

test('a pair that is overwritten in place with its old times is detected', async (t) => {
  const { authority, shown, engine, dir } = await hostSite(t, { 'a.test': {} })
  const next = authority.issue({ names: ['a.test'] })
  for (const [file, text] of Object.entries({ 'tls.key': next.keyPem, 'tls.crt': next.chainPem })) {
    writeFileSync(join(dir, 'hosts', 'a.test', file), text)
  }
  assertApplied(await engine.reload())
  assert.equal(await shown('a.test'), next.fingerprint256)
})

test('contexts of hosts are built on demand, and at most as many as the cache allows are kept', async (t) => {
  const names = Array.from({ length: 12 }, (_, i) => `host${i}.test`)
  const { shown, engine } = await hostSite(t, Object.fromEntries(names.map((name) => [name, {}])), {
    hostCacheSize: 3,
  })
  for (const name of [...names, ...names.reverse()]) {
    assert.equal(await shown(name), engine.servingFor(name)?.fingerprint256)
  }
  const all = await Promise.all([...names, ...names].map(shown))
  assert.deepEqual(
    all,
    [...names, ...names].map((name) => engine.servingFor(name)?.fingerprint256),
  )
})

test('a host whose certificate does not cover its name is refused and named', async (t) => {
  const dir = tempDir(t)
  const authority = createAuthority()
  const hosts = {
    'b.test': writePair(dir, authority.issue({ names: ['a.test'] }), { cert: 'b.crt', key: 'b.key' }),
  }
  const options = { ...writePair(dir, authority.issue()), hosts, policy: { hosts: 'together' } } as const
  await assert.rejects(startEngine(t, options), { code: 'NAME_NOT_COVERED' })
})

test('a server that was not created from serverOptions() causes a warning, and serves the default certificate', async (t) => {
  const logger = recordingLogger()
  const { engine, first } = await hostSite(t, { 'a.test': {} }, { logger })
  logger.takeLines()
  const server = createEcho({})
  engine.attach(server)
  assert.ok(
    logger
      .takeLines()
      .some((line) => line.startsWith('warn the server was not created from serverOptions()')),
  )
  const port = await listen(t, server)
  assert.equal(await servedBy(port, { servername: 'a.test' }), first.fingerprint256)
  assertApplied(
    await engine.reload({ force: true }).then((result) => ({ ...result, outcome: 'applied' as const })),
  )
})

test('an SNICallback of the application beside the hosts of the engine is refused', async (t) => {
  const { engine } = await hostSite(t, {})
  assert.throws(() => engine.serverOptions({ SNICallback: () => {} }), { code: 'OPTIONS_INVALID' })
})

test('hosts can be changed at run time, but not added to an engine without hosts or removed completely', async (t) => {
  const { engine, shown, authority, dir } = await hostSite(t, { 'a.test': {} })
  const leaf = authority.issue({ names: ['n.test'] })
  const files = writePair(dir, leaf, { cert: 'n.crt', key: 'n.key' })
  assertApplied(await engine.update({ hosts: { 'n.test': files } }))
  assert.equal(await shown('n.test'), leaf.fingerprint256)
  assert.equal(engine.status().generation.hosts?.count, 1)
  const plain = await startEngine(t, writePair(tempDir(t), authority.issue()))
  await assert.rejects(plain.update({ hosts: { 'n.test': files } }), { code: 'OPTIONS_INVALID' })
})

test('attached servers still serve every host after the engine is closed', async (t) => {
  const { engine, shown } = await hostSite(t, { 'a.test': {}, 'b.test': {} })
  const expected = ['a.test', 'b.test'].map((name) => engine.servingFor(name)?.fingerprint256)
  assert.equal(await shown('a.test'), expected[0])
  await engine.close()
  assert.deepEqual([await shown('a.test'), await shown('b.test')], expected)
})

test('every server serves a renewed host from the same turn on, over HTTPS too', async (t) => {
  const { engine, put } = await hostSite(t, { 'a.test': {} })
  const ports = await Promise.all(
    [1, 2, 3].map(async () => {
      const server = https.createServer(engine.serverOptions(), (_, response) => response.end('hello'))
      engine.attach(server)
      return await listen(t, server)
    }),
  )
  const renewed = put('a.test')
  assertApplied(await engine.reload())
  for (const port of ports)
    assert.equal(await servedBy(port, { servername: 'a.test' }), renewed.fingerprint256)
})

test('a dry run reports what would happen to hosts, and changes none', async (t) => {
  const { engine, put, shown } = await hostSite(t, { 'a.test': {} })
  const old = await shown('a.test')
  put('a.test')
  const { outcome, hosts } = await engine.reload({ dryRun: true })
  assert.deepEqual([outcome, hosts], ['validated', { served: 1, changed: 1, removed: 0 }])
  assert.equal(await shown('a.test'), old)
})

test('a pattern that matches nothing is a warning at the first load, and hosts may be added later', async (t) => {
  const { engine, put, shown } = await hostSite(t, {})
  assert.ok(engine.status().generation.warnings.some(({ code }) => code === 'FILE_NOT_FOUND'))
  const leaf = put('a.test')
  assertApplied(await engine.reload())
  assert.equal(await shown('a.test'), leaf.fingerprint256)
})
