/* Failure is the normal case of a source: the last good material stays in service, and only an explicit absence removes any. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { startEngine as startWithParts } from '../../../src/main/engine/engine.js'
import type { Delivery, ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { SourceError } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { type FakeClock, fakeClock } from '../../../support/base/fake-clock.js'
import { type RecordingLogger, recordingLogger } from '../../../support/base/recording-logger.js'
import { type HandshakeOptions, handshake } from '../../../support/clients/tls-client.js'
import { nextEvent, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const authority = createAuthority().issueAuthority()
const SECRET = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw'

const failures: Record<
  string,
  { readonly fails: () => never; readonly code: string; readonly message: RegExp }
> = {
  unreachable: {
    fails: () => {
      throw Object.assign(new Error(`connect to ${SECRET} failed`), { code: 'ECONNREFUSED' })
    },
    code: 'SOURCE_UNREACHABLE',
    message: /^source memory: read\(\) failed with ECONNREFUSED$/,
  },
  'an error of the program': {
    fails: () => JSON.parse(`{"key":"${SECRET}`) as never,
    code: 'SOURCE_UNREACHABLE',
    message: /^source memory: read\(\) failed with SyntaxError$/,
  },
  'not an error': {
    fails: () => {
      throw SECRET
    },
    code: 'SOURCE_UNREACHABLE',
    message: /a value that is not an error/,
  },
  denied: {
    fails: () => {
      throw new SourceError('SOURCE_DENIED', 'the token was refused')
    },
    code: 'SOURCE_DENIED',
    message: /^source memory: the token was refused$/,
  },
  withdrawn: {
    fails: () => {
      throw new SourceError('SOURCE_WITHDRAWN', 'the identity was deleted')
    },
    code: 'SOURCE_WITHDRAWN',
    message: /the identity was deleted/,
  },
}

for (const [name, { fails, code, message }] of Object.entries(failures)) {
  test(`a source that fails (${name}) changes nothing, and its problem has a code`, async (t) => {
    const leaf = authority.issue()
    const source = new MemorySource(deliveryOf(leaf, '1'))
    const logger = recordingLogger()
    const engine = await startEngine(t, { source, logger })
    const port = await serveEcho(t, engine)
    source.answer = fails
    const { outcome, problems } = await engine.reload()
    assert.equal(outcome, 'rejected')
    assert.equal(problems[0]?.code, code)
    assert.match(problems[0].message, message)
    assert.equal(await servedBy(port), leaf.fingerprint256)
    const { source: status } = engine.status()
    assert.deepEqual(status?.failures, { [code]: 1 })
    assert.equal(status?.version, '1')
    assert.notEqual(status?.failingSince, null)
    assert.ok(!JSON.stringify([logger.lines, engine.status(), problems]).includes(SECRET))
  })
}

const useless: Record<string, unknown> = {
  nothing: undefined,
  'no pair': { version: '2', pairs: [] },
  'half a pair': { version: '2', pairs: [{ cert: 'x' }] },
  'no version': { pairs: [{ bundle: 'x' }] },
  'a version with a line break': { version: 'a\nb', pairs: [{ bundle: 'x' }] },
  'an empty file': { version: '2', pairs: [{ cert: '', key: 'x' }] },
  'a number for bytes': { version: '2', pairs: [{ cert: 7, key: 'x' }] },
  'bundle and key': { version: '2', pairs: [{ bundle: 'x', key: 'x' }] },
  'too many bytes': { version: '2', pairs: [{ bundle: new Uint8Array(1024 * 1024 + 1) }] },
  'a revision that is no integer': { version: '2', revision: 1.5, pairs: [{ bundle: 'x' }] },
  'hosts that nothing serves': { version: '2', pairs: [{ bundle: 'x' }], hosts: [] },
  'an unchanged answer to a full read': 'unchanged',
}

for (const [name, answer] of Object.entries(useless)) {
  test(`an answer that is no delivery (${name}) is refused, and the next attempt asks again`, async (t) => {
    const leaf = authority.issue()
    const source = new MemorySource(deliveryOf(leaf, '1'))
    const engine = await startEngine(t, { source })
    source.answer = () => answer as Delivery
    const { outcome, problems } = await engine.reload({ force: true })
    assert.equal(outcome, 'rejected')
    assert.equal(problems[0]?.code, 'SOURCE_INVALID')
    source.answer = null
    assert.equal((await engine.reload()).outcome, 'unchanged')
  })
}

const garbage: Record<string, { readonly pair: Delivery['pairs'][number]; readonly code: string }> = {
  'random text': { pair: { cert: 'garbage', key: 'garbage' }, code: 'CERT_MISSING' },
  'truncated DER': { pair: { cert: authority.certDer.subarray(0, 100), key: 'x' }, code: 'PEM_INVALID' },
  'another key': {
    pair: { cert: authority.issue().chainPem, key: authority.issue().keyPem },
    code: 'CERT_KEY_MISMATCH',
  },
}

for (const [name, { pair, code }] of Object.entries(garbage)) {
  test(`garbage (${name}) is refused with the name of the source, reported to it, and retried`, async (t) => {
    const source = new MemorySource(deliveryOf(authority.issue(), '1'))
    const engine = await startEngine(t, { source, policy: { pairGraceSeconds: 0 } })
    source.set({ version: '2', pairs: [pair] })
    const { outcome, problems } = await engine.reload()
    assert.equal(outcome, 'rejected')
    assert.equal(problems[0]?.code, code)
    assert.match(problems[0].message, /memory:(cert|key)/)
    const last = source.reports.at(-1)
    assert.deepEqual([last?.version, last?.outcome, last?.generation], ['2', 'refused', 1])
    await engine.reload()
    assert.equal(source.reports.length, 2)
    source.set(deliveryOf(authority.issue(), '3'))
    assert.equal((await engine.reload()).outcome, 'applied')
  })
}

test('a source that does not answer costs one timeout; the pass ends, and later calls are made', async (t) => {
  const { source, engine, clock } = await controlled(t, { sourceTimeoutSeconds: 5 })
  const aborted: boolean[] = []
  source.answer = ({ signal }) => {
    signal.addEventListener('abort', () => aborted.push(true))
    return new Promise(() => {})
  }
  const { problems } = await during(clock, engine.reload())
  assert.equal(problems[0]?.code, 'SOURCE_TIMEOUT')
  assert.equal(aborted[0], true)
  source.answer = null
  assert.equal((await during(clock, engine.reload())).outcome, 'unchanged')
})

test('calls that never end are bounded: after four of them the source is not called until one ends', async (t) => {
  const { source, engine, clock } = await controlled(t, { sourceTimeoutSeconds: 5 })
  const ends: (() => void)[] = []
  source.answer = () => new Promise((resolve) => ends.push(() => resolve('unchanged')))
  for (let i = 1; i <= 6; i++) {
    const { problems } = await during(clock, engine.reload())
    assert.equal(problems[0]?.code, 'SOURCE_TIMEOUT')
  }
  assert.equal(source.asked.length, 5)
  ends[0]?.()
  source.answer = null
  await eventually('the source is called again', async () => {
    return (await during(clock, engine.reload())).outcome === 'unchanged'
  })
})

test('a failure is retried with growing delays, also without an interval, and its recovery reports the outage', async (t) => {
  const { source, engine, clock, logger } = await controlled(t)
  source.answer = () => {
    throw new SourceError('SOURCE_UNREACHABLE', 'connection refused')
  }
  await engine.reload()
  const delays: number[] = []
  for (let i = 0; i < 9; i++) {
    const delay = engine.status().nextCheckInMs as number
    delays.push(delay)
    const settled = nextEvent(engine, 'settled')
    await clock.advance(delay)
    await settled
  }
  delays.forEach((delay, i) => {
    const full = Math.min(60_000, 1000 * 2 ** i)
    assert.ok(delay >= full / 2 && delay <= full, `${delay} ms after ${i + 1} failures`)
  })
  const warned = logger.lines.filter(({ level }) => level === 'warn')
  assert.equal(warned.length, 1, JSON.stringify(warned))
  source.answer = null
  const recovered = nextEvent(engine, 'recovered')
  await clock.advance(60_000)
  const { outageMs } = await recovered
  assert.ok(outageMs >= delays.reduce((sum, delay) => sum + delay, 0))
  assert.ok(logger.takeLines().includes('info certificates can be loaded again'))
  assert.equal(engine.status().nextCheckInMs, null)
})

test('the time that a source asks for is the least delay', async (t) => {
  const { source, engine } = await controlled(t)
  source.answer = () => {
    throw new SourceError('SOURCE_UNREACHABLE', 'busy', { retryAfterMs: 120_000 })
  }
  await engine.reload()
  assert.equal(engine.status().nextCheckInMs, 120_000)
})

test('a dry run that the source fails changes no state and plans no retry', async (t) => {
  const { source, engine } = await controlled(t)
  source.answer = () => {
    throw new SourceError('SOURCE_UNREACHABLE', 'connection refused')
  }
  assert.equal((await engine.reload({ dryRun: true })).outcome, 'rejected')
  const { source: status, nextCheckInMs } = engine.status()
  assert.deepEqual([status?.failingSince, status?.failures, nextCheckInMs], [null, {}, null])
})

test('while the source fails, files beside it are still loaded: a revoked client is refused', async (t) => {
  const dir = tempDir(t)
  const [ca, crl] = [join(dir, 'ca.crt'), join(dir, 'ca.crl')]
  const clients = createAuthority()
  const client = clients.issue()
  writeFileSync(ca, clients.certPem)
  writeFileSync(crl, clients.crl())
  const leaf = authority.issue()
  const source = new MemorySource(deliveryOf(leaf, '1'))
  const engine = await startEngine(t, { source, ca, crl, requestCert: true })
  const port = await serveEcho(t, engine)
  const enters = () => admitted({ port, cert: client.chainPem, key: client.keyPem })
  assert.equal(await enters(), true)
  source.answer = () => {
    throw new SourceError('SOURCE_UNREACHABLE', 'connection refused')
  }
  writeFileSync(crl, clients.crl({ revoked: [client.serial] }))
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['applied', ['SOURCE_UNREACHABLE']])
  assert.equal(await enters(), false)
  assert.equal(engine.status().generation.certificates[0]?.fingerprint256, leaf.fingerprint256)
  const again = await engine.reload()
  assert.deepEqual([again.outcome, again.problems[0]?.code], ['rejected', 'SOURCE_UNREACHABLE'])
})

test('a delivery without trust domains after one with them is refused: any anchor would verify any peer', async (t) => {
  const [own, other] = [createAuthority(), createAuthority()]
  const trust = { ca: [own.certPem], trustDomains: { 'example.org': [other.certPem] } }
  const source = new MemorySource(deliveryOf(authority.issue(), '1', trust))
  const engine = await startEngine(t, { source })
  source.set(deliveryOf(authority.issue(), '2', { ca: [own.certPem] }))
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems[0]?.code], ['rejected', 'SOURCE_INVALID'])
  assert.equal(engine.status().generation.trust.authorities, 2)
})

test('a refused update is no failure of the source, and is not reported to it', async (t) => {
  const source = new MemorySource(deliveryOf(authority.issue(), '1'))
  const engine = await startEngine(t, { source })
  const result = await engine.update({ policy: { requiredNames: ['other.example'] } })
  assert.equal(result.outcome, 'rejected')
  const { source: status, nextCheckInMs } = engine.status()
  assert.deepEqual([status?.failingSince, status?.failures, nextCheckInMs], [null, {}, null])
  assert.equal(source.reports.length, 1)
})

test('a first delivery that is refused is reported to the source with its reason', async () => {
  const source = new MemorySource({
    version: '1',
    pairs: [{ cert: authority.issue().chainPem, key: 'garbage' }],
  })
  await assert.rejects(startWithParts({ source, logger: recordingLogger() }), { code: 'KEY_MISSING' })
  const [report] = source.reports
  assert.deepEqual(
    [report?.outcome, report?.generation, report?.problems[0]?.code],
    ['refused', null, 'KEY_MISSING'],
  )
})

test('the start waits for its whole time, also if the source asks for more', async () => {
  for (const retryAfterMs of [0, 3_600_000]) {
    const clock = fakeClock()
    const source = new MemorySource(deliveryOf(authority.issue(), '1'))
    source.answer = () => {
      throw new SourceError('SOURCE_UNREACHABLE', 'busy', { retryAfterMs })
    }
    const begun = clock.monotonicMs()
    const starting = startWithParts({ source, logger: recordingLogger(), startTimeoutSeconds: 50 }, { clock })
    const failed = assert.rejects(starting, { code: 'SOURCE_UNREACHABLE' })
    while (!source.isClosed) await clock.advance(100)
    await failed
    assert.ok(clock.monotonicMs() - begun >= 50_000, `${clock.monotonicMs() - begun} ms`)
  }
})

test('errors of other methods of a source are shown without their text', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  t.after(() => process.off('warning', note))
  const fails = () => {
    throw new Error(`redis://user:${SECRET}@host`)
  }
  const source = Object.assign(new MemorySource(deliveryOf(authority.issue(), '1')), {
    watch: fails,
    report: async () => fails(),
    close: fails,
  })
  const logger = recordingLogger()
  const engine = await startEngine(t, { source, logger })
  await engine.close()
  await pause(1)
  assert.ok(warnings.length >= 3)
  const shown = [...logger.lines, ...warnings.map((one) => [one.message, one.stack, Object.entries(one)])]
  assert.ok(!JSON.stringify(shown).includes(SECRET), JSON.stringify(shown))
})

test('a delivery of an older revision is refused, and the newer one stays in service', async (t) => {
  const [newer, older] = [authority.issue(), authority.issue()]
  const source = new MemorySource(deliveryOf(newer, 'b', { revision: 8n }))
  const engine = await startEngine(t, { source })
  source.set(deliveryOf(older, 'a', { revision: 7 }))
  const { outcome, problems } = await engine.reload()
  assert.equal(outcome, 'rejected')
  assert.equal(problems[0]?.code, 'SOURCE_OLDER')
  assert.match(problems[0].message, /revision 7, older than revision 8/)
  assert.equal(engine.status().generation.certificates[0]?.fingerprint256, newer.fingerprint256)
})

test('a version that flaps causes at most one pass a second', async (t) => {
  const { source, engine, clock } = await controlled(t)
  const [a, b] = [deliveryOf(authority.issue(), 'a'), deliveryOf(authority.issue(), 'b')]
  const calls = source.asked.length
  for (let i = 0; i < 50; i++) {
    source.push(i % 2 === 0 ? a : b)
    await clock.advance(10)
  }
  await engine.reload()
  assert.ok(source.asked.length - calls <= 2)
})

test('a step of the wall clock changes neither the delay of a retry nor what is served', async (t) => {
  const { source, engine, clock } = await controlled(t)
  source.answer = () => {
    throw new SourceError('SOURCE_UNREACHABLE', 'connection refused')
  }
  await engine.reload()
  const before = engine.status().nextCheckInMs
  clock.setWall(-86_400_000)
  assert.equal(engine.status().nextCheckInMs, before)
  source.answer = null
  const settled = nextEvent(engine, 'settled')
  await clock.advance(before as number)
  assert.equal((await settled).outcome, 'unchanged')
})

test('the start waits for the source for a limited time, names it in the log, and reports its problem', async () => {
  const clock = fakeClock()
  const logger = recordingLogger()
  const source = new MemorySource(deliveryOf(authority.issue(), '1'))
  source.answer = () => {
    throw new SourceError('SOURCE_DENIED', 'no identity is registered yet')
  }
  const starting = startWithParts({ source, logger, startTimeoutSeconds: 30 }, { clock })
  const failed = assert.rejects(starting, {
    code: 'SOURCE_DENIED',
    message: /no identity is registered yet; the start waits 30 s for the source/,
  })
  while (!source.isClosed) await clock.advance(500)
  await failed
  assert.deepEqual(
    logger.takeLines().filter((line) => line.includes('source')),
    ['warn waiting for the source of the certificates'],
  )
  assert.ok(source.asked.length >= 3 && source.asked.length <= 12, String(source.asked.length))
})

test('the start continues as soon as the source answers', async (t) => {
  const source = new MemorySource(deliveryOf(authority.issue(), '1'))
  let attempts = 0
  source.answer = () => {
    if (++attempts === 1) throw new SourceError('SOURCE_UNREACHABLE', 'connection refused')
    source.answer = null
    return source.read({ version: null, signal: AbortSignal.timeout(1000) })
  }
  const engine = await startEngine(t, { source })
  assert.equal(engine.status().generation.number, 1)
})

test('closing the engine ends a read and closes the source, also one that hangs', async () => {
  const source = new MemorySource(deliveryOf(authority.issue(), '1'))
  const clock = fakeClock()
  const engine = await startWithParts({ source, logger: recordingLogger() }, { clock })
  let isAborted = false
  source.answer = ({ signal }) => {
    signal.addEventListener('abort', () => {
      isAborted = true
    })
    return new Promise(() => {})
  }
  const pending = assert.rejects(engine.reload(), { code: 'CLOSED' })
  await eventually('the call', () => source.asked.length === 2)
  await engine.close()
  await pending
  assert.ok(isAborted && source.isClosed)
})

/** Advances the clock until the promise settles. */
async function during<T>(clock: FakeClock, pending: Promise<T>): Promise<T> {
  let isPending = true
  const settled = pending.finally(() => {
    isPending = false
  })
  while (isPending) {
    await clock.advance(100)
    await pause(1)
  }
  return await settled
}

/** Whether a server that echoes admits the client. */
function admitted(options: Pick<HandshakeOptions, 'port' | 'cert' | 'key'>): Promise<boolean> {
  const seen = handshake({ ...options, confirm: true, onSocket: (socket) => socket.write('x') })
  return seen.then(
    () => true,
    () => false,
  )
}

interface Controlled {
  readonly source: MemorySource
  readonly engine: ReloadEngine
  readonly clock: FakeClock
  readonly logger: RecordingLogger
}

/** An engine whose clock the test advances. */
async function controlled(t: TestContext, options: Partial<ReloadEngineOptions> = {}): Promise<Controlled> {
  const source = new MemorySource(deliveryOf(authority.issue(), '1'))
  const [clock, logger] = [fakeClock(), recordingLogger()]
  const engine = await startWithParts({ source, logger, ...options }, { clock })
  t.after(() => engine.close())
  return { source, engine, clock, logger }
}
