import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Journal } from '../../../src/main/engine/journal.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { passReport, problem } from '../../../support/engine/pass-reports.js'

const START = Date.parse('2026-02-01T00:00:00.000Z')
const REFUSED = 'certificates not reloaded; the old ones stay in service'
const WAITING = 'certificate and key do not match yet; the old pair stays in service'

test('a problem is logged once as a warning, and then at debug level', () => {
  const { journal, logged } = open()
  for (let look = 0; look < 3; look++) journal.settle(rejected('CERT_EXPIRED'))
  assert.deepEqual(logged(), [`warn ${REFUSED}`, `debug ${REFUSED}`, `debug ${REFUSED}`])
})

test('another problem, and the same one in another file, are logged separately', () => {
  const { journal, logged } = open()
  journal.settle(rejected('CERT_EXPIRED'))
  journal.settle(rejected('KEY_INVALID'))
  journal.settle(passReport('rejected', { problems: [problem('KEY_INVALID', 'other.key')] }))
  journal.settle(rejected('CERT_EXPIRED'))
  assert.deepEqual(logged(), [`warn ${REFUSED}`, `warn ${REFUSED}`, `warn ${REFUSED}`, `debug ${REFUSED}`])
})

test('a pass that finds only some of the logged problems is no news, and one that finds another problem too is', () => {
  const { journal, logged } = open()
  const [cert, key, host] = ['tls.crt', 'tls.key', 'host.crt'].map((path) => problem('WORKER_TIMEOUT', path))
  const found = (...problems: (typeof cert)[]) =>
    journal.settle(passReport('rejected', { problems: problems.flatMap((one) => one ?? []) }))
  found(cert, key)
  found(key)
  found(key, cert)
  found(key, host)
  assert.deepEqual(logged(), [`warn ${REFUSED}`, `debug ${REFUSED}`, `debug ${REFUSED}`, `warn ${REFUSED}`])
})

test('after a recovery the same problem is logged as new', () => {
  const { journal, logged } = open()
  journal.settle(rejected('CERT_EXPIRED'))
  journal.settle(passReport('unchanged'))
  journal.settle(rejected('CERT_EXPIRED'))
  assert.deepEqual(logged(), [`warn ${REFUSED}`, 'info certificates can be loaded again', `warn ${REFUSED}`])
})

test('unchanged files are not logged', () => {
  const { journal, logged } = open()
  for (let look = 0; look < 50; look++) journal.settle(passReport('unchanged'))
  assert.deepEqual(logged(), [])
})

test('waiting for a pair is logged once, and not as a warning', () => {
  const { journal, logged } = open()
  journal.settle(waiting())
  journal.settle(waiting())
  assert.deepEqual(logged(), [`info ${WAITING}`, `debug ${WAITING}`])
  journal.settle(passReport('rejected', { problems: [problem('CERT_KEY_MISMATCH')], pairMismatch: true }))
  assert.deepEqual(logged(), [`warn ${REFUSED}`])
})

test('an applied pass is logged with its warnings, the first load in other words', () => {
  const { journal, logged } = open()
  const warnings = [problem('NAMES_LOST'), problem('EXPIRES_EARLIER')]
  journal.settle(passReport('applied', { trigger: 'start' }))
  journal.settle(passReport('applied', { warnings }))
  assert.deepEqual(logged(), [
    'info certificates loaded',
    'info certificates reloaded',
    'warn certificate warning',
    'warn certificate warning',
  ])
})

test('a recovery is logged once, with the start and the length of the outage', async () => {
  const { journal, clock } = open()
  assert.equal(journal.settle(passReport('applied')), null)
  await clock.advance(1000)
  assert.equal(journal.settle(rejected('KEY_INVALID')), null)
  await clock.advance(5000)
  assert.equal(journal.settle(waiting()), null)
  await clock.advance(2000)
  const failedSince = new Date(START + 1000).toISOString()
  assert.equal(journal.status().failingSince, failedSince)
  assert.deepEqual(journal.settle(passReport('applied')), { failedSince, outageMs: 7000 })
  assert.equal(journal.settle(passReport('applied')), null)
  assert.equal(journal.status().failingSince, null)
})

test('last attempt, last success and last failure are kept separately', async () => {
  const { journal, clock } = open()
  journal.settle(passReport('applied', { trigger: 'start' }))
  await clock.advance(1000)
  journal.settle(passReport('unchanged'))
  await clock.advance(1000)
  journal.settle(rejected('KEY_INVALID'))
  await clock.advance(1000)
  journal.settle(waiting())
  const { lastAttempt, lastSuccess, lastFailure, consecutiveFailures, passes } = journal.status()
  assert.deepEqual([lastAttempt.outcome, lastAttempt.at], ['waiting-for-pair', iso(3000)])
  assert.deepEqual([lastSuccess.outcome, lastSuccess.at], ['unchanged', iso(1000)])
  assert.deepEqual([lastFailure?.outcome, lastFailure?.at], ['waiting-for-pair', iso(3000)])
  assert.deepEqual(lastFailure?.problems, [problem('CERT_KEY_MISMATCH')])
  assert.equal(consecutiveFailures, 2)
  assert.deepEqual(passes, { applied: 1, unchanged: 1, rejected: 1, 'waiting-for-pair': 1, validated: 0 })
  journal.settle(passReport('unchanged'))
  assert.equal(journal.status().consecutiveFailures, 0)
  assert.deepEqual(journal.status().lastFailure, lastFailure)
})

test('a pass can be counted without any other effect', () => {
  const { journal, logged } = open()
  journal.settle(passReport('applied'))
  const before = journal.status()
  logged()
  journal.count(passReport('rejected').result)
  assert.deepEqual(journal.status(), { ...before, passes: { ...before.passes, rejected: 1 } })
  assert.deepEqual(logged(), [])
})

test('checks with the same problem are counted, and start again when the disk or the problem changes', () => {
  const { journal } = open()
  assert.equal(journal.trouble, null)
  const retries = [
    rejected('KEY_INVALID', 'a'),
    rejected('KEY_INVALID', 'a'),
    rejected('KEY_INVALID', 'b'),
    rejected('KEY_INVALID', 'b'),
    waiting('b'),
    waiting('b'),
  ].map((report) => {
    journal.settle(report)
    return [journal.trouble?.kind, journal.trouble?.retries]
  })
  assert.deepEqual(retries, [
    ['failing', 0],
    ['failing', 1],
    ['failing', 0],
    ['failing', 1],
    ['waiting', 0],
    ['waiting', 1],
  ])
  journal.settle(passReport('unchanged'))
  assert.equal(journal.trouble, null)
})

test('a mismatch is timed from its beginning, not from that of an earlier problem', async () => {
  const { journal, clock } = open()
  assert.equal(journal.mismatchMs(), 0)
  journal.settle(rejected('KEY_INVALID'))
  await clock.advance(60_000)
  assert.equal(journal.mismatchMs(), 0)
  journal.settle(waiting())
  await clock.advance(5000)
  journal.settle(waiting('another half'))
  assert.equal(journal.mismatchMs(), 5000)
  journal.settle(passReport('applied'))
  await clock.advance(5000)
  assert.equal(journal.mismatchMs(), 0)
})

test('a refused change, and one that is rolled back, are no outage and end none', () => {
  const { journal, logged } = open()
  journal.settle(passReport('applied'))
  logged()
  for (const trigger of ['update', 'rollback'] as const) {
    journal.settle(passReport('rejected', { trigger, problems: [problem('KEY_INVALID')] }))
    assert.deepEqual(logged(), ['warn change refused; the previous options and certificates stay in force'])
    assert.deepEqual([journal.trouble, journal.status().failingSince], [null, null])
  }
  journal.settle(rejected('KEY_INVALID'))
  logged()
  assert.equal(journal.settle(passReport('applied', { trigger: 'rollback' })), null)
  assert.deepEqual(logged(), ['info certificates reloaded'])
  assert.equal(journal.trouble?.kind, 'failing')
  assert.notEqual(journal.settle(passReport('applied', { trigger: 'update' })), null)
})

test('the start of a difference between disk and served material is kept apart from failures, and is constant while it lasts', async () => {
  const { journal, clock } = open()
  const since = () => journal.status().differsSince
  const steps: readonly [string, Parameters<typeof journal.settle>[0], string | null][] = [
    ['the first load', passReport('applied', { trigger: 'start' }), null],
    ['half a pair', waiting(), iso(1000)],
    ['its other half', passReport('applied'), null],
    ['a broken file', rejected('KEY_INVALID'), iso(3000)],
    ['the same', rejected('KEY_INVALID'), iso(3000)],
    [
      'a change that is refused',
      passReport('rejected', { trigger: 'update', problems: [problem('KEY_INVALID')] }),
      iso(3000),
    ],
    ['a rollback while it is broken', passReport('applied', { trigger: 'rollback' }), iso(3000)],
    ['the previous material is on disk again', passReport('unchanged'), null],
    ['a rollback', passReport('applied', { trigger: 'rollback' }), iso(8000)],
    ['another one', passReport('applied', { trigger: 'rollback' }), iso(8000)],
    [
      'a rollback that failed',
      passReport('rejected', { trigger: 'rollback', problems: [problem('SERVED_MISMATCH')] }),
      iso(8000),
    ],
    ['the timer ignores it', passReport('unchanged', { isRolledBack: true }), iso(8000)],
    ['some hosts are renewed, others are not', passReport('applied', { isRolledBack: true }), iso(8000)],
    ['the served material is on disk', passReport('unchanged'), null],
    [
      'the rolled-back material is on disk again',
      passReport('unchanged', { isRolledBack: true }),
      iso(14_000),
    ],
    ['a renewal', passReport('applied'), null],
    [
      'some hosts are left behind',
      passReport('applied', { problems: [problem('KEY_INVALID')] }),
      iso(16_000),
    ],
  ]
  for (const [what, report, expected] of steps) {
    journal.settle(report)
    assert.equal(since(), expected, what)
    await clock.advance(1000)
  }
})

function open() {
  const [logger, clock] = [recordingLogger(), fakeClock(START)]
  return { journal: new Journal(clock, logger), clock, logged: logger.takeLines }
}

function rejected(code: Parameters<typeof problem>[0], failureDigest = '') {
  return passReport('rejected', { problems: [problem(code)], failureDigest })
}

function waiting(failureDigest = '') {
  return passReport('waiting-for-pair', {
    problems: [problem('CERT_KEY_MISMATCH')],
    pairMismatch: true,
    failureDigest,
  })
}

function iso(afterStartMs: number): string {
  return new Date(START + afterStartMs).toISOString()
}
