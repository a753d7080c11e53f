/* A start without the source: `lastGood` serves what was kept, marked stale, until the source answers. */

import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { startEngine as startWithParts } from '../../../src/main/engine/engine.js'
import type { Delivery, ReloadEngine, ReloadEngineOptions, SourceErrorCode } from '../../../src/main/index.js'
import { SourceError } from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { eventually } from '../../../support/base/eventually.js'
import { type FakeClock, fakeClock } from '../../../support/base/fake-clock.js'
import { type RecordingLogger, recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { nextEvent, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writeKey } from '../../../support/feed/last-good-site.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const authority = createAuthority().issueAuthority()
const LOADED = 'warn the source gave no usable material: loading what was kept earlier'
const REFUSED = 'warn what was kept earlier cannot be served'

for (const encrypted of [false, true]) {
  const how = encrypted ? 'encrypted' : 'not encrypted'

  test(`a start without the source serves what was kept, ${how}, marked stale, until the source answers`, async (t) => {
    const site = siteOf(t, encrypted)
    const leaf = authority.issue()
    await site.keep(deliveryOf(leaf, 'v1', { revision: 5 }))
    const { engine, logger, source } = await site.startWithout('SOURCE_UNREACHABLE')
    const port = await serveEcho(t, engine)
    assert.equal(await servedBy(port), leaf.fingerprint256)
    const { source: status } = engine.status()
    assert.deepEqual([status?.stale, status?.version], [true, 'v1'])
    assert.notEqual(status?.failingSince, null)
    assert.match(await metricsOf(engine), /^certswap_source_stale\{source="memory"\} 1$/m)
    assert.equal(logger.takeLines().filter((line) => line === LOADED).length, 1)
    source.answer = null
    assert.equal((await engine.reload()).outcome, 'unchanged')
    assert.equal(engine.status().source?.stale, false)
    assert.match(await metricsOf(engine), /^certswap_source_stale\{source="memory"\} 0$/m)
    assert.deepEqual(
      source.reports.map(({ version, outcome }) => [version, outcome]),
      [['v1', 'served']],
    )
  })
}

test('hosts, trust anchors and revocation lists are kept as well', async (t) => {
  const site = siteOf(t, true, { hosts: {}, requestCert: true })
  const host = authority.issue({ names: ['a.example'] })
  const root = createAuthority()
  const more: Partial<Delivery> = {
    ca: [root.certPem],
    crl: [root.crl()],
    hosts: [{ name: 'a.example', version: 'h1', cert: host.chainPem, key: host.keyPem }],
  }
  await site.keep(deliveryOf(authority.issue(), 'v1', more))
  const { engine } = await site.startWithout('SOURCE_UNREACHABLE')
  assert.equal(engine.status().generation.trust?.authorities, 1)
  const server = await serveEcho(t, engine, { requestCert: false })
  assert.equal(await servedBy(server, { servername: 'a.example' }), host.fingerprint256)
})

test('trust domains are kept: after a start without the source, a peer still needs the CA of its own domain', async (t) => {
  const site = siteOf(t, true, { hosts: {}, requestCert: true })
  const [own, other] = [createAuthority(), createAuthority()]
  const host = authority.issue({ names: ['a.example'] })
  const trustDomains = { 'example.org': [own.certDer], 'other.test': [other.certDer] }
  const hosts = [{ name: 'a.example', version: 'h1', cert: host.chainPem, key: host.keyPem }]
  await site.keep(deliveryOf(authority.issue(), 'v1', { trustDomains, hosts }))
  const { engine } = await site.startWithout('SOURCE_UNREACHABLE')
  assert.equal(engine.status().generation.trust?.authorities, 2)
  const port = await serveEcho(t, engine)
  const admits = async (issuer: typeof own, id: string) => {
    const { chainPem, keyPem } = issuer.issue({ names: [], uris: [id] })
    const peer = {
      port,
      cert: chainPem,
      key: keyPem,
      servername: 'a.example',
      maxVersion: 'TLSv1.2',
    } as const
    return await handshake(peer).then(
      ({ fingerprint256 }) => fingerprint256 === host.fingerprint256,
      () => false,
    )
  }
  assert.equal(await admits(own, 'spiffe://example.org/web'), true)
  assert.equal(await admits(other, 'spiffe://other.test/web'), true)
  assert.equal(await admits(other, 'spiffe://example.org/web'), false)
})

test('hosts that a later delivery does not mention stay in service, and are kept', async (t) => {
  const site = siteOf(t, false, { hosts: {} })
  const host = authority.issue({ names: ['a.example'] })
  const hosts = [{ name: 'a.example', version: 'h1', cert: host.chainPem, key: host.keyPem }]
  const source = new MemorySource(deliveryOf(authority.issue(), 'v1', { hosts }))
  const engine = await site.start({ source })
  source.set(deliveryOf(authority.issue(), 'v2'))
  assert.equal((await engine.reload()).outcome, 'applied')
  await engine.close()
  const { engine: restarted } = await site.startWithout('SOURCE_UNREACHABLE')
  assert.equal(restarted.status().source?.version, 'v2')
  const port = await serveEcho(t, restarted)
  assert.equal(await servedBy(port, { servername: 'a.example' }), host.fingerprint256)
})

test('the engine asks the source again by itself, and then serves what it delivers', async (t) => {
  const site = siteOf(t, false)
  await site.keep(deliveryOf(authority.issue(), 'v1'))
  const { engine, clock, source } = await site.startWithout('SOURCE_UNREACHABLE')
  const renewed = authority.issue()
  source.set(deliveryOf(renewed, 'v2'))
  source.answer = null
  const applied = nextEvent(engine, 'applied')
  await clock.advance(engine.status().nextCheckInMs as number)
  await applied
  assert.equal(engine.status().generation.certificates[0]?.fingerprint256, renewed.fingerprint256)
  assert.equal(engine.status().source?.stale, false)
  await engine.close()
  assert.equal((await site.startWithout('SOURCE_UNREACHABLE')).engine.status().source?.version, 'v2')
})

test('a source that hangs is asked for five seconds, or for `afterSeconds`', async (t) => {
  for (const [afterSeconds, expectedMs] of [
    [undefined, 5_000],
    [2, 2_000],
    [500, 20_000],
  ] as const) {
    const site = siteOf(t, false, { startTimeoutSeconds: 20 }, afterSeconds)
    await site.keep(deliveryOf(authority.issue(), 'v1'))
    const { engine, hungMs } = await site.startWithout('hangs')
    assert.equal(engine.status().source?.stale, true)
    assert.equal(hungMs, expectedMs)
  }
})

test('a source that answers in time is served, and what was kept is not read', async (t) => {
  const site = siteOf(t, false)
  await site.keep(deliveryOf(authority.issue(), 'v1'))
  writeFileSync(join(site.dir, 'last-good'), 'damaged')
  const logger = recordingLogger()
  const source = new MemorySource(deliveryOf(authority.issue(), 'v2'))
  const engine = await site.start({ source, logger })
  assert.deepEqual([engine.status().source?.version, engine.status().source?.stale], ['v2', false])
  assert.deepEqual(
    logger.takeLines().filter((line) => line.startsWith('warn')),
    [],
  )
})

test('an older revision is refused after the restart, too', async (t) => {
  const site = siteOf(t, true)
  await site.keep(deliveryOf(authority.issue(), 'v8', { revision: 8n }))
  const { engine, source } = await site.startWithout('SOURCE_UNREACHABLE')
  source.answer = null
  source.set(deliveryOf(authority.issue(), 'v7', { revision: 7 }))
  const { problems } = await engine.reload()
  assert.equal(problems[0]?.code, 'SOURCE_OLDER')
  assert.equal(engine.status().source?.stale, true)
  source.set(deliveryOf(authority.issue(), 'v9', { revision: 9 }))
  assert.equal((await engine.reload()).outcome, 'applied')
  assert.equal(engine.status().source?.stale, false)
})

test('without `lastGood`, or with nothing kept, a start fails with the code of the source', async (t) => {
  const site = siteOf(t, false)
  await site.refusesStart('SOURCE_UNREACHABLE', 'SOURCE_UNREACHABLE')
  assert.deepEqual(site.linesOf(REFUSED), [])
  await site.keep(deliveryOf(authority.issue(), 'v1'))
  await site.refusesStart('SOURCE_DENIED', 'SOURCE_DENIED', { lastGood: undefined })
})

test('a source that withdraws the identity has answered: what was kept is not served', async (t) => {
  const site = siteOf(t, false)
  await site.keep(deliveryOf(authority.issue(), 'v1'))
  await site.refusesStart('SOURCE_WITHDRAWN', 'SOURCE_WITHDRAWN')
})

test('what has expired since it was kept is refused as always', async (t) => {
  const site = siteOf(t, false, { policy: { expired: 'reject' } })
  const leaf = authority.issue({
    notBefore: new Date(Date.now() - 7_200_000),
    notAfter: new Date(Date.now() - 3_600_000),
  })
  await site.keep(deliveryOf(leaf, 'v1'), { policy: { expired: 'warn' } })
  const { problems } = await site.refusesStart('SOURCE_UNREACHABLE', 'SOURCE_UNREACHABLE')
  assert.deepEqual(problems, ['SOURCE_UNREACHABLE', 'CERT_EXPIRED'])
  assert.equal(site.linesOf(REFUSED).length, 1)
})

test('a delivery that cannot be served does not stop a start for which a good one was kept', async (t) => {
  const site = siteOf(t, true)
  const good = authority.issue()
  await site.keep(deliveryOf(good, 'v1'))
  const source = new MemorySource({
    version: 'v2',
    pairs: [{ cert: good.chainPem, key: authority.issue().keyPem }],
  })
  const engine = await site.start({ source })
  assert.equal(engine.status().generation.certificates[0]?.fingerprint256, good.fingerprint256)
  assert.equal(engine.status().source?.stale, true)
  assert.equal(engine.status().source?.failures['CERT_KEY_MISMATCH'], 1)
  rmSync(site.dir, { recursive: true })
  await assert.rejects(site.start({ source }), { code: 'CERT_KEY_MISMATCH' })
})

test('a file that is damaged, foreign, replayed or open is refused with its code, and the start waits for the source', async (t) => {
  const cases: Record<string, (path: string, site: Site) => Promise<void> | void> = {
    LAST_GOOD_TORN: (path) => writeFileSync(path, readFileSync(path).fill(1, 500, 510)),
    LAST_GOOD_TRUNCATED: (path) => writeFileSync(path, readFileSync(path).subarray(0, 500)),
    LAST_GOOD_FOREIGN: (path) => writeFileSync(path, 'something else'),
    LAST_GOOD_REPLAYED: async (path, site) => {
      copyFileSync(path, `${path}.older`)
      await site.keep(deliveryOf(authority.issue(), 'v2'))
      copyFileSync(`${path}.older`, path)
    },
    LAST_GOOD_OPEN: (path) => chmodSync(path, 0o644),
  }
  for (const [code, damage] of Object.entries(cases)) {
    const site = siteOf(t, false)
    await site.keep(deliveryOf(authority.issue(), 'v1'))
    const path = join(site.dir, 'last-good')
    await damage(path, site)
    const { problems } = await site.refusesStart('SOURCE_UNREACHABLE', 'SOURCE_UNREACHABLE')
    assert.deepEqual(problems, ['SOURCE_UNREACHABLE', code])
  }
})

test('what another identity of a source of the same name kept is foreign', async (t) => {
  const site = siteOf(t, true)
  await site.keep(deliveryOf(authority.issue(), 'v1'), {}, 'web')
  const { problems } = await site.refusesStart('SOURCE_UNREACHABLE', 'SOURCE_UNREACHABLE', {}, 'api')
  assert.deepEqual(problems, ['SOURCE_UNREACHABLE', 'LAST_GOOD_FOREIGN'])
  assert.equal((await site.startWithout('SOURCE_UNREACHABLE', 'web')).engine.status().source?.stale, true)
})

test('a directory that cannot be written changes nothing that is served, and is logged once', async (t) => {
  const site = siteOf(t, false)
  mkdirSync(join(site.dir, 'last-good'), { recursive: true })
  const logger = recordingLogger()
  const source = new MemorySource(deliveryOf(authority.issue(), 'v1'))
  const engine = await site.start({ source, logger })
  const unwritten = () =>
    logger.lines.filter(({ message }) => message === 'the material in service cannot be kept')
  await eventually('the warning', () => unwritten().length > 0)
  for (const version of ['v2', 'v3']) {
    source.set(deliveryOf(authority.issue(), version))
    const { outcome, warnings, problems } = await engine.reload()
    assert.deepEqual([outcome, warnings, problems], ['applied', [], []])
  }
  rmSync(join(site.dir, 'last-good'), { recursive: true })
  source.set(deliveryOf(authority.issue(), 'v4'))
  await engine.reload()
  await eventually('the end of the outage', () =>
    logger.lines.some(({ message }) => message === 'the material in service is kept again'),
  )
  assert.equal(unwritten().length, 1)
  assert.equal(engine.status().source?.failures['LAST_GOOD_UNWRITTEN'], 1)
  assert.equal(engine.status().source?.failingSince, null)
})

test('a delivery that is refused, or only tried, is not kept', async (t) => {
  const site = siteOf(t, false, { policy: { pairGraceSeconds: 0 } })
  const source = new MemorySource(deliveryOf(authority.issue(), 'v1'))
  const engine = await site.start({ source })
  source.set(deliveryOf(authority.issue(), 'v2'))
  await engine.reload({ dryRun: true })
  source.set({ version: 'v3', pairs: [{ cert: authority.issue().chainPem, key: authority.issue().keyPem }] })
  assert.equal((await engine.reload()).outcome, 'rejected')
  await engine.close()
  assert.equal((await site.startWithout('SOURCE_UNREACHABLE')).engine.status().source?.version, 'v1')
})

test('neither a key nor its PEM is in an encrypted file, and the files are only for this user', async (t) => {
  const site = siteOf(t, true)
  const leaf = authority.issue()
  await site.keep(deliveryOf(leaf, 'v1'))
  for (const name of ['last-good', 'last-good.seq']) {
    const path = join(site.dir, name)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(readFileSync(path).includes(leaf.keyPem.slice(40, 80)), false)
  }
})

test('`lastGood` needs a source, and its paths are relative to the working directory of the start', async (t) => {
  const pair = { cert: 'tls.crt', key: 'tls.key' }
  await assert.rejects(startEngine(t, { ...pair, lastGood: { dir: '/var/lib/app' } }), {
    code: 'OPTIONS_INVALID',
    message: /`lastGood`: expected `source` as well/,
  })
  const dir = tempDir(t)
  const before = process.cwd()
  process.chdir(dir)
  t.after(() => process.chdir(before))
  const lastGood = { dir: './kept', keyFile: 'key' }
  writeKey(join(dir, 'key'))
  const source = new MemorySource(deliveryOf(authority.issue(), 'v1'))
  const starting = startEngine(t, { source, lastGood })
  process.chdir(before)
  await (await starting).close()
  assert.ok(statSync(join(dir, 'kept', 'last-good')).isFile())
})

/** Time per step of the clock during a start, in milliseconds. */
const STEP_MS = 250

type Failure = SourceErrorCode | 'hangs'

interface Started {
  readonly engine: ReloadEngine
  readonly clock: FakeClock
  readonly logger: RecordingLogger
  readonly source: MemorySource
  /** For how long the first read was pending when it was aborted. */
  readonly hungMs: number
}

interface Site {
  readonly dir: string
  /** A start whose source answers. */
  start(more: Pick<ReloadEngineOptions, 'source' | 'logger'>): Promise<ReloadEngine>
  /** An engine takes the delivery from its source, and is closed. */
  keep(delivery: Delivery, more?: Partial<ReloadEngineOptions>, identity?: string): Promise<void>
  /** A start whose source fails. The source then still has the delivery that was kept last. */
  startWithout(failure: Failure, identity?: string): Promise<Started>
  /** @returns the codes of its problems. */
  refusesStart(
    failure: Failure,
    code: string,
    more?: Partial<ReloadEngineOptions> | { lastGood: undefined },
    identity?: string,
  ): Promise<{ readonly problems: readonly string[] }>
  /** The lines of all starts that are equal to this one. */
  linesOf(line: string): readonly string[]
}

function siteOf(
  t: TestContext,
  encrypted: boolean,
  common: Partial<ReloadEngineOptions> = {},
  afterSeconds?: number,
): Site {
  const engines: ReloadEngine[] = []
  // Before the directory is removed, because a write may be running.
  t.after(() => Promise.all(engines.map((engine) => engine.close())))
  const parent = tempDir(t)
  const dir = join(parent, 'kept')
  const lastGood = {
    dir,
    ...(encrypted ? { keyFile: writeKey(join(parent, 'key')) } : {}),
    ...(afterSeconds === undefined ? {} : { afterSeconds }),
  }
  const lines: string[] = []
  let delivery: Delivery = deliveryOf(authority.issue(), 'v0')

  async function start(failure: Failure, more: object, identity?: string): Promise<Started> {
    const [clock, logger] = [fakeClock(), recordingLogger()]
    const source = sourceOf(delivery, identity)
    let hungMs = 0
    source.answer = ({ signal }) => {
      if (failure !== 'hangs') throw new SourceError(failure, 'for this test')
      const askedAt = clock.monotonicMs()
      return new Promise(() => {
        signal.addEventListener('abort', () => {
          hungMs ||= clock.monotonicMs() - askedAt
        })
      })
    }
    const limits = { startTimeoutSeconds: 20, sourceTimeoutSeconds: 60 }
    const options = { ...limits, ...common, source, lastGood, logger, ...more }
    const starting = startWithParts(options as ReloadEngineOptions, { clock })
    try {
      const engine = await during(clock, starting, logger)
      engines.push(engine)
      return { engine, clock, logger, source, hungMs }
    } finally {
      lines.push(...logger.lines.map(({ level, message }) => `${level} ${message}`))
    }
  }

  return {
    dir,
    async start(more) {
      const engine = await startWithParts({ ...common, lastGood, logger: recordingLogger(), ...more })
      engines.push(engine)
      return engine
    },
    async keep(given, more = {}, identity) {
      delivery = given
      const source = sourceOf(delivery, identity)
      const engine = await startWithParts({ ...common, source, lastGood, logger: recordingLogger(), ...more })
      await engine.close()
    },
    startWithout: (failure, identity) => start(failure, {}, identity),
    async refusesStart(failure, code, more = {}, identity) {
      const error: unknown = await start(failure, more, identity).catch((thrown: unknown) => thrown)
      const { code: found, problems } = error as { code: string; problems: readonly { code: string }[] }
      assert.equal(found, code, String(error))
      return { problems: problems.map((problem) => problem.code) }
    },
    linesOf: (line) => lines.filter((one) => one === line),
  }
}

function sourceOf(delivery: Delivery, identity?: string): MemorySource {
  return Object.assign(new MemorySource(delivery), identity === undefined ? {} : { identity })
}

/** Advances the clock until the promise settles, except while the worker is loading what was kept. */
async function during<T>(clock: FakeClock, pending: Promise<T>, { lines }: RecordingLogger): Promise<T> {
  let isPending = true
  const ended = () => {
    isPending = false
  }
  pending.then(ended, ended)
  const count = (line: string) => lines.filter(({ level, message }) => `${level} ${message}` === line).length
  for (; isPending; await pause(10))
    if (clock.pending > 0 && count(LOADED) <= count(REFUSED)) await clock.advance(STEP_MS)
  return await pending
}

async function metricsOf(engine: ReloadEngine): Promise<string> {
  const metrics = createMetrics(engine)
  return await metrics.text()
}
