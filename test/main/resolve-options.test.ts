import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ReloadEngineOptions } from '../../src/main/options.js'
import { assertInterval, mergeChanges, resolveOptions } from '../../src/main/resolve-options.js'

const pair = { cert: 'tls.crt', key: 'tls.key' }

/** What is given, the option that must be named, and what must be said of it. */
const REFUSED: readonly [given: object, named: string, said: RegExp][] = [
  [{ ...pair, interval: 5 }, 'interval', /unknown option/],
  [{ ...pair, autoReloadInterval: Number.NaN }, 'autoReloadInterval', /expected number, got NaN/],
  [{ ...pair, autoReloadInterval: '5' }, 'autoReloadInterval', /expected number, got "5" \(string\)/],
  [{ ...pair, autoReloadInterval: -1 }, 'autoReloadInterval', />=0, got -1/],
  [{ ...pair, autoReloadInterval: 2_147_483_648 }, 'autoReloadInterval', /<=2147483647/],
  [{ ...pair, autoReloadInterval: Number.POSITIVE_INFINITY }, 'autoReloadInterval', /got Infinity/],
  [{ key: 'tls.key' }, 'cert', /expected a path/],
  [{ cert: 'tls.crt' }, 'key', /expected a path/],
  [{ cert: ['a', 'b'], key: ['a'] }, 'key', /as many keys as certificates \(2\), got 1/],
  [{ ...pair, pfx: 'a.p12' }, 'pfx', /either/],
  [{ ...pair, cert: '' }, 'cert', /expected/],
  [{ ...pair, requestCert: true }, 'requestCert', /never silently trusted/],
  [{ ...pair, requestCert: 'yes' }, 'requestCert', /expected boolean/],
  [{ ...pair, crl: 'crl.pem' }, 'crl', /`ca` or `caDir`/],
  [{ ...pair, tls: { minVersion: 'TLSv1.1' } }, 'tls.minVersion', /TLSv1.2/],
  [{ ...pair, tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } }, 'tls', /not to be above/],
  [{ ...pair, tls: { cert: 'x' } }, 'tls', /unknown option `cert`/],
  [{ ...pair, worker: { timeoutMs: 1.5 } }, 'worker.timeoutMs', /expected int/],
  [{ ...pair, worker: { idleTimeoutMs: 3_000_000_000 } }, 'worker.idleTimeoutMs', /<=2147483647/],
  [{ ...pair, policy: { expired: 'ignore' } }, 'policy.expired', /reject/],
  [{ ...pair, tickets: { rotateHours: 0 } }, 'tickets.rotateHours', />=1/],
  [{ ...pair, historySize: 101 }, 'historySize', /<=100/],
  [{ ...pair, expiryWarningDays: [-1] }, 'expiryWarningDays.0', />=0/],
  [{ ...pair, logger: { info() {} } }, 'logger.debug', /function/],
]

for (const [given, named, said] of REFUSED) {
  test(`${JSON.stringify(given)} is refused, and ${named} is named`, () => {
    assert.throws(
      () => resolveOptions(given as ReloadEngineOptions),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'OPTIONS_INVALID')
        assert.match(error.message, said)
        assert.ok(error.message.includes(`\`${named}\``), error.message)
        return true
      },
    )
  })
}

test('everything that is wrong is said at once', () => {
  const given = { cert: 5, key: 'k', autoReloadInterval: -1, verifyServed: 'no' }
  assert.throws(
    () => resolveOptions(given as unknown as ReloadEngineOptions),
    (error: Error) =>
      ['`cert`', '`autoReloadInterval`', '`verifyServed`'].every((name) => error.message.includes(name)),
  )
})

test('a passphrase that is refused is not repeated', () => {
  const given = { ...pair, passphrase: { file: 'p', secret: 'hunter2' } }
  assert.throws(
    () => resolveOptions(given as unknown as ReloadEngineOptions),
    (error: Error) => !error.message.includes('hunter2'),
  )
})

test('defaults are filled in, and the result cannot be changed', () => {
  const options = resolveOptions(pair)
  assert.equal(options.autoReloadInterval, 0)
  assert.deepEqual(options.peers, { requestCert: false, rejectUnauthorized: true })
  assert.equal(options.worker.timeoutMs, 10_000)
  assert.deepEqual(options.expiryWarningDays, [30, 7, 1])
  assert.throws(() => Object.assign(options.policy, { expired: 'warn' }), TypeError)
  assert.throws(() => Object.assign(options.sources.pairs[0] as object, { cert: 'x' }), TypeError)
})

test('the logger is the very object that was given, and stays open to change', () => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  assert.equal(resolveOptions({ ...pair, logger }).logger, logger)
  assert.ok(!Object.isFrozen(logger))
})

test('an interval that is set later is checked as at the start', () => {
  assert.throws(() => assertInterval(Number.NaN), { code: 'OPTIONS_INVALID' })
  assert.throws(() => assertInterval('5' as unknown as number), { code: 'OPTIONS_INVALID' })
  assertInterval(0.5)
})

test('changes go by the members of policy and tls, and undefined takes an option away', () => {
  const before = { ...pair, ca: 'ca.pem', tls: { minVersion: 'TLSv1.2', ciphers: 'A' } } as const
  const after = mergeChanges(before, { ca: undefined, tls: { minVersion: 'TLSv1.3' }, cert: 'new.crt' })
  assert.deepEqual(after, { ...pair, cert: 'new.crt', tls: { minVersion: 'TLSv1.3', ciphers: 'A' } })
})

test('what holds for the life of an engine cannot be changed', () => {
  const changes = { worker: { timeoutMs: 5 } } as Parameters<typeof mergeChanges>[1]
  assert.throws(() => mergeChanges(pair, changes), { code: 'OPTIONS_INVALID' })
})
