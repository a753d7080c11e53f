/*
 * One host affects only itself: whatever its files do to the worker, the other hosts and the default certificate are renewed,
 * and the broken host is reported.
 */

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { startEngine as startInternal } from '../../../src/main/engine/engine.js'
import type { Problem, ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied, servedBy, serveEcho } from '../../../support/engine/engines.js'
import { hostSite, putHost } from '../../../support/engine/host-site.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { type Poisoning, poisons } from '../../../support/worker/poisons.js'
import { standIn } from '../../../support/worker/stand-in.js'
import { watchThreads } from '../../../support/worker/thread-watch.js'

const authority = createAuthority()

/** Longer than any valid file takes, and shorter than the time limit of the test. */
const TIMEOUT_MS = 1_500

const behaviours: Readonly<Record<Poisoning, RegExp>> = {
  throws: /^MATERIAL_UNPROCESSABLE$/,
  exits: /^WORKER_CRASHED$/,
  // On a busy machine the time limit can pass first.
  hoards: /^WORKER_(CRASHED|TIMEOUT)$/,
  spins: /^WORKER_TIMEOUT$/,
  hangs: /^WORKER_TIMEOUT$/,
}

for (const [how, code] of Object.entries(behaviours) as [Poisoning, RegExp][]) {
  test(`a host whose files make the worker fail (${how}) is reported, and the start and every reload continue without it`, async (t) => {
    const poison = poisons(t)
    const dir = tempDir(t)
    const bad = putHost(dir, authority, 'bad.test')
    poison.add(how === 'throws' ? bad.certPem : bad.keyPem, how)
    const good = Array.from({ length: 5 }, (_, i) => putHost(dir, authority, `good-${i}.test`))
    const pair = writePair(dir, authority.issue())
    const engine = await poisonedEngine(t, { ...pair, hosts: join(dir, 'hosts', '*') })
    const port = await serveEcho(t, engine)
    const shown = (servername: string) => servedBy(port, { servername })

    const [problem, ...more] = failuresOf(engine)
    assert.match(problem?.code ?? 'none', code)
    assert.deepEqual([problem?.host, more], [join(dir, 'hosts/bad.test'), []])
    assert.match(problem?.path ?? '', /bad\.test\/tls\.(crt|key)$/)
    assert.equal(await shown('good-4.test'), good[4]?.fingerprint256)

    const threads = watchThreads(t)
    const next = authority.issue()
    writePair(dir, next)
    const renewed = putHost(dir, authority, 'good-1.test')
    const result = await engine.reload()
    assertApplied(result)
    assert.deepEqual([result.problems.map(({ host }) => host), threads.started], [[problem?.host], 0])
    assert.equal(await shown('localhost'), next.fingerprint256)
    assert.equal(await shown('good-1.test'), renewed.fingerprint256)

    const mended = putHost(dir, authority, 'bad.test')
    const { problems } = await engine.reload()
    assert.deepEqual(problems, [])
    assert.equal(await shown('bad.test'), mended.fingerprint256)
  })
}

test('a default key that hangs a thread is reported, its hosts are renewed, and no second thread hangs on it', async (t) => {
  const poison = poisons(t)
  const dir = tempDir(t)
  putHost(dir, authority, 'a.test')
  const first = authority.issue()
  const pair = writePair(dir, first)
  const engine = await poisonedEngine(t, { ...pair, hosts: join(dir, 'hosts', '*') })
  const port = await serveEcho(t, engine)
  const bad = authority.issue()
  poison.add(bad.keyPem, 'hangs')
  writePair(dir, bad)
  const renewed = putHost(dir, authority, 'a.test')

  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual(
    result.problems.map(({ code, path, host }) => [code, path, host]),
    [['WORKER_TIMEOUT', pair.key, undefined]],
  )
  assert.equal(await servedBy(port), first.fingerprint256)
  assert.equal(await servedBy(port, { servername: 'a.test' }), renewed.fingerprint256)

  const threads = watchThreads(t)
  const again = await engine.reload()
  assert.deepEqual([again.problems.map(({ path }) => path), threads.started], [[pair.key], 0])
  const good = authority.issue()
  writePair(dir, good)
  assertApplied(await engine.reload())
  assert.equal(await servedBy(port), good.fingerprint256)
})

test('an entry of a CA directory that ends the worker is reported, trust stays in force, and hosts are renewed', async (t) => {
  const poison = poisons(t)
  const dir = tempDir(t)
  putHost(dir, authority, 'a.test')
  mkdirSync(join(dir, 'ca'))
  for (const name of ['one', 'two']) writeFileSync(join(dir, 'ca', `${name}.pem`), createAuthority().certPem)
  const pair = writePair(dir, authority.issue())
  const engine = await poisonedEngine(t, {
    ...pair,
    hosts: join(dir, 'hosts', '*'),
    caDir: join(dir, 'ca'),
    requestCert: true,
  })
  const before = engine.status().generation.trust.digest
  const bad = createAuthority().certPem
  poison.add(bad, 'exits')
  writeFileSync(join(dir, 'ca', 'three.pem'), bad)
  const renewed = putHost(dir, authority, 'a.test')

  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual(
    result.problems.map(({ code, path }) => [code, path]),
    [['WORKER_CRASHED', join(dir, 'ca', 'three.pem')]],
  )
  assert.equal(engine.status().generation.trust.digest, before)
  assert.equal(engine.servingFor('a.test')?.fingerprint256, renewed.fingerprint256)
})

for (const how of ['exits', 'hangs'] as const) {
  test(`one of several revocation lists that makes the worker fail (${how}) is reported, trust stays in force, and hosts are renewed`, async (t) => {
    const poison = poisons(t)
    const dir = tempDir(t)
    putHost(dir, authority, 'a.test')
    const authorities = Array.from({ length: 3 }, (_, i) => createAuthority({ name: `Client CA ${i}` }))
    const lists = authorities.map((_, i) => join(dir, `list-${i}.pem`))
    const put = (i: number, pem: string) => writeFileSync(lists[i] as string, pem)
    for (const [i, one] of authorities.entries()) put(i, one.crl())
    const ca = join(dir, 'ca.pem')
    writeFileSync(ca, authorities.map(({ certPem }) => certPem).join(''))
    const pair = writePair(dir, authority.issue())
    const engine = await poisonedEngine(t, {
      ...pair,
      ca,
      crl: lists,
      hosts: join(dir, 'hosts', '*'),
      requestCert: true,
    })
    const before = engine.status().generation.trust.digest
    const bad = (authorities[1] as Authority).crl({ revoked: ['0a'] })
    poison.add(bad, how)
    put(1, bad)
    put(2, (authorities[2] as Authority).crl({ revoked: ['0b'] }))
    const renewed = putHost(dir, authority, 'a.test')

    const result = await engine.reload()
    assertApplied(result)
    assert.deepEqual(
      result.problems.map(({ code, path }) => [code, path]),
      [[how === 'exits' ? 'WORKER_CRASHED' : 'WORKER_TIMEOUT', lists[1]]],
    )
    assert.equal(engine.status().generation.trust.digest, before)
    assert.equal(engine.servingFor('a.test')?.fingerprint256, renewed.fingerprint256)

    put(1, (authorities[1] as Authority).crl({ revoked: ['0c'] }))
    assert.deepEqual((await engine.reload()).problems, [])
    assert.notEqual(engine.status().generation.trust.digest, before)
  })
}

test('a chain of 600 certificates with the same name is refused at once, for a host and for the default certificate', async (t) => {
  const site = await hostSite(t, { 'a.test': {}, 'long.test': {} })
  const { dir, engine } = site
  const long = longChain(authority.issue({ names: ['long.test'] }), 600)
  renameInto(join(dir, 'hosts/long.test/tls.key'), long.keyPem)
  renameInto(join(dir, 'hosts/long.test/tls.crt'), long.chainPem)
  const renewed = site.put('a.test')
  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual(
    result.problems.map(({ code, host }) => [code, host]),
    [['CHAIN_TOO_LONG', join(dir, 'hosts/long.test')]],
  )
  assert.equal(await site.shown('a.test'), renewed.fingerprint256)

  writePair(dir, long)
  const { problems } = await engine.reload()
  assert.deepEqual(problems.map(({ code, path }) => `${code} ${path}`).sort(), [
    `CHAIN_TOO_LONG ${join(dir, 'hosts/long.test/tls.crt')}`,
    `CHAIN_TOO_LONG ${join(dir, 'tls.crt')}`,
  ])
})

test('a key file with 100 keys is refused before any of them is opened', async (t) => {
  const site = await hostSite(t, { 'a.test': {} })
  const key = join(site.dir, 'hosts/a.test/tls.key')
  renameInto(key, readFileSync(key, 'utf8').repeat(100))
  const { problems } = await site.engine.reload()
  assert.deepEqual(
    problems.map(({ code, path }) => [code, path]),
    [['KEY_INVALID', key]],
  )
})

function failuresOf(engine: ReloadEngine): readonly Problem[] {
  return engine.status().lastAttempt?.problems ?? []
}

async function poisonedEngine(t: TestContext, options: ReloadEngineOptions): Promise<ReloadEngine> {
  const worker = { timeoutMs: TIMEOUT_MS, memoryLimitMb: 64 }
  const engine = await startInternal(
    { logger: recordingLogger(), worker, ...options },
    { workerTasks: standIn('poisoned') },
  )
  t.after(() => engine.close())
  return engine
}

/** The leaf whose issuer name is shared by many certificates. */
function longChain(leaf: Leaf, count: number): { chainPem: string; keyPem: string } {
  const name = 'Certswap Attack Issuer'
  const others = Array.from({ length: 20 }, () => createAuthority({ name }).certPem)
  const chainPem = leaf.certPem + Array.from({ length: count - 1 }, (_, i) => others[i % 20]).join('')
  return { chainPem, keyPem: leaf.keyPem }
}
