import assert from 'node:assert/strict'
import net from 'node:net'
import test from 'node:test'

import type { DrainOptions, DrainStartOptions } from '../../../src/main/drain/index.js'
import { resolveDrainOptions, resolveStart } from '../../../src/main/drain/options.js'

const servers = [net.createServer()]
const plain = resolveDrainOptions({ servers }, {})

test('the defaults equal the documented ones', () => {
  const { logger, hooks, generationOf, ...rest } = plain
  assert.deepEqual(rest, {
    servers,
    times: { lameDuckMs: 0, deadlineMs: 25_000, spreadMs: 0 },
    http2: 'single',
    lateRequests: 'serve',
    incompleteMs: 5_000,
    closeTimeoutMs: 10_000,
    pingTimeoutMs: 10_000,
    engine: null,
    onTrustRemoved: 'keep',
  })
  assert.deepEqual([logger, generationOf], [null, undefined])
  assert.ok(Object.isFrozen(plain))
})

test('under Kubernetes the lame duck is 5 s, or half of a short deadline', () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1' }
  assert.equal(resolveDrainOptions({ servers }, env).times.lameDuckMs, 5_000)
  assert.equal(resolveDrainOptions({ servers, deadlineMs: 4_000 }, env).times.lameDuckMs, 2_000)
  assert.equal(resolveDrainOptions({ servers, lameDuckMs: 0 }, env).times.lameDuckMs, 0)
  assert.equal(
    resolveStart({ deadlineMs: 3_000 }, resolveDrainOptions({ servers }, env).times).lameDuckMs,
    1_500,
  )
})

test('a server that is given twice counts once', () => {
  assert.deepEqual(resolveDrainOptions({ servers: [...servers, ...servers] }, {}).servers, servers)
})

test('the logger is used directly, not copied', () => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  assert.equal(resolveDrainOptions({ servers, logger }, {}).logger, logger)
})

test('all invalid options are named at once, with the expected and the received value', () => {
  const wrong = { servers: [{}], lameDuckMs: -1, deadlineMs: Number.NaN, http2: 'both', retries: 3, onRaw: 1 }
  assert.throws(
    () => resolveDrainOptions(wrong as unknown as DrainOptions, {}),
    ({ code, message }: { code: string; message: string }) => {
      assert.equal(code, 'OPTIONS_INVALID')
      for (const name of ['servers.0', 'lameDuckMs', 'deadlineMs', 'http2', 'onRaw', 'retries']) {
        assert.ok(message.includes(`\`${name}\``), `${name} in ${message}`)
      }
      assert.match(message, /NaN/)
      return true
    },
  )
})

test('a lame-duck time that leaves no time for the rest is refused', () => {
  const code = 'OPTIONS_INVALID'
  assert.throws(() => resolveDrainOptions({ servers, lameDuckMs: 5_000, deadlineMs: 5_000 }, {}), { code })
  assert.throws(() => resolveStart({ lameDuckMs: 25_000 }, plain.times), { code })
  assert.equal(resolveStart({ lameDuckMs: 24_999 }, plain.times).lameDuckMs, 24_999)
  const forever = { servers, lameDuckMs: 5_000, deadlineMs: Number.POSITIVE_INFINITY }
  assert.equal(resolveDrainOptions(forever, {}).times.deadlineMs, Number.POSITIVE_INFINITY)
})

test('a start accepts a URI, or options that override those of the drain', () => {
  const { where, ...uri } = resolveStart('https://a.example/', plain.times)
  assert.deepEqual(uri, {
    uri: 'https://a.example/',
    reason: undefined,
    cancellable: true,
    lameDuckMs: 0,
    deadlineMs: 25_000,
    spreadMs: 0,
  })
  assert.equal(where, null)
  assert.equal(resolveStart({ deadlineMs: 0, lameDuckMs: 10 }, plain.times).deadlineMs, 0)
})

test("a selective start has no lame duck, whatever the drain's option is", () => {
  const { times } = resolveDrainOptions({ servers, lameDuckMs: 5_000 }, {})
  assert.equal(resolveStart({ where: () => true }, times).lameDuckMs, 0)
  const both: DrainStartOptions = { where: () => true, lameDuckMs: 10 }
  assert.throws(() => resolveStart(both, times), { code: 'OPTIONS_INVALID' })
})

test('a start refuses invalid redirects and unknown options', () => {
  for (const wrong of [
    'http://a.example/',
    { uri: 'x' },
    { uri: 7 },
    { force: true },
    { deadlineMs: -1 },
    null,
  ]) {
    assert.throws(() => resolveStart(wrong as DrainStartOptions, plain.times), { code: 'OPTIONS_INVALID' })
  }
})
