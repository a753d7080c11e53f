/* Comparisons of the served material with the wall clock: which threshold is reported when, and which state is a warning. */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ExpiryNotice } from '../../../src/main/api/status.js'
import { LifeWatch } from '../../../src/main/engine/life-watch.js'
import type { Snapshot } from '../../../src/main/generation/generation.js'
import { HostTable } from '../../../src/main/generation/host-table.js'
import { runAtOnce } from '../../../src/main/generation/slices.js'
import { packTrustEnds } from '../../../src/workers/protocol/ends.js'
import type { CertificateFacts, ChainCertificate } from '../../../src/workers/protocol/material.js'
import { eventually } from '../../../support/base/eventually.js'
import { type FakeClock, fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { certificateFacts } from '../../../support/engine/pass-reports.js'
import { servedHost } from '../../../support/engine/served-host.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

test('each threshold is reported once, when it is reached, and so is expiry', async () => {
  const { clock, notices, logger, watch } = watched({ pair: { days: 90 } })
  await pass(clock, 67 * DAY)
  assert.deepEqual(notices(), [])
  await pass(clock, DAY)
  assert.deepEqual(notices(), ['leaf 22.5'])
  await pass(clock, 15 * DAY)
  assert.deepEqual(notices(), ['leaf 7'])
  await pass(clock, 8 * DAY)
  assert.deepEqual(notices(), ['leaf 1', 'leaf 0'])
  await pass(clock, 10 * DAY)
  assert.deepEqual(notices(), [])
  assert.deepEqual(
    logger.lines.map(({ level }) => level),
    ['warn', 'warn', 'warn', 'error'],
  )
  watch.stop()
  assert.equal(clock.pending, 0)
})

for (const [life, days, healthyUntil] of [
  ['24 hours', 1, 1 / 3],
  ['6 days', 6, 1 / 2],
  ['47 days', 47, 1 / 3],
  ['90 days', 90, 1 / 3],
  ['a year', 365, 35 / 365],
] as const) {
  test(`certificates of ${life} that are renewed in time are never reported`, async () => {
    const { clock, notices, renew } = watched({ pair: { days } })
    for (let round = 0; round < 3; round++) {
      await pass(clock, days * DAY * (1 - healthyUntil))
      renew({ pair: { days } })
    }
    assert.deepEqual(notices(), [])
  })
}

test('certificates of 24 hours and of 6 days are reported by parts of their lifetime, not by days', async () => {
  for (const [days, expected] of [
    [1, ['leaf 0.25', 'leaf 0.125', 'leaf 0.0625', 'leaf 0']],
    [6, ['leaf 1.5', 'leaf 0.75', 'leaf 0.375', 'leaf 0']],
  ] as const) {
    const { clock, notices } = watched({ pair: { days } })
    await pass(clock, days * DAY + HOUR)
    assert.deepEqual(notices(), expected)
  }
})

test('if several thresholds have passed already, only the last is reported', async () => {
  const { clock, notices } = watched({ pair: { days: 90, over: 85 } })
  await clock.advance(10)
  assert.deepEqual(notices(), ['leaf 7'])
})

test('the chain, an anchor and a revocation list are reported by kind, name and path', async () => {
  const { clock, sent, logger } = watched({
    pair: { days: 90, chain: [{ subject: 'CN=Intermediate', days: 3 }] },
    anchors: [
      { name: 'CN=Ends first', days: 10 },
      { name: 'CN=Long', days: 4000 },
    ],
    lists: [{ name: 'CN=Issuer of a list', days: 7 }],
  })
  await pass(clock, 11 * DAY)
  const ended = sent.filter(({ leftMs }) => leftMs <= 0)
  assert.deepEqual(
    ended.map(({ kind, name, path, thresholdDays }) => [kind, name, path, thresholdDays]),
    [
      ['chain', 'CN=Intermediate', '/etc/tls/tls.crt', 0],
      ['crl', 'CN=Issuer of a list', '/etc/tls/list.crl', 0],
      ['ca', 'CN=Ends first', '/etc/tls/ca.crt', 0],
    ],
  )
  const errors = logger.lines.filter(({ level }) => level === 'error').map(({ message }) => message)
  assert.deepEqual(errors, [
    'a certificate of the served chain has expired; clients refuse the chain',
    'a revocation list has expired; peers of its CA are refused',
    'a trust anchor has expired; peers with its certificates are refused',
  ])
})

test('expired material is a named warning from that moment until it is renewed', async () => {
  const { clock, watch, renew, logger } = watched({ pair: { days: 90 }, lists: [{ name: 'CN=CA', days: 7 }] })
  assert.equal(watch.warnings.length, 0)
  clock.setWall(8 * DAY)
  const [warning, ...more] = watch.warnings
  assert.deepEqual([warning?.code, warning?.path, more], ['CRL_EXPIRED', '/etc/tls/list.crl', []])
  assert.match(warning?.message ?? '', /^the revocation list of CN=CA in \/etc\/tls\/list\.crl expired on /)
  assert.equal(watch.warnings, watch.warnings, 'the same object until it changes')
  await clock.advance(10)
  logger.takeLines()
  renew({ pair: { days: 90 }, lists: [{ name: 'CN=CA', days: 7 }] })
  assert.deepEqual(watch.warnings, [])
  await clock.advance(10)
  assert.deepEqual(logger.takeLines(), ['info expired material is no longer served'])
})

test('a clock that is set forward is noticed within a minute, and reported once', async () => {
  const { clock, notices, logger } = watched({ pair: { days: 90 }, anchors: [{ name: 'CN=Root', days: 80 }] })
  await clock.advance(10)
  clock.setWall(100 * DAY)
  await clock.advance(59_000)
  assert.deepEqual(notices(), [])
  await clock.advance(1_000)
  assert.deepEqual(notices(), ['leaf 0', 'ca 0'])
  await pass(clock, HOUR)
  assert.deepEqual(notices(), [])
  assert.equal(logger.takeLines().length, 2)
})

test('a clock that is set back withdraws warnings, and they are reported again later', async () => {
  const { clock, notices, watch, logger } = watched({ pair: { days: 90 } })
  clock.setWall(100 * DAY)
  await clock.advance(60_000)
  assert.deepEqual(notices(), ['leaf 0'])
  logger.takeLines()
  clock.setWall(-100 * DAY)
  assert.deepEqual(watch.warnings, [])
  await clock.advance(60_000)
  assert.deepEqual(logger.takeLines(), ['info expired material is valid again: the clock was set back'])
  assert.deepEqual(notices(), [])
  await pass(clock, 91 * DAY)
  assert.deepEqual(notices(), ['leaf 22.5', 'leaf 7', 'leaf 1', 'leaf 0'])
})

test('material that is not valid yet after the clock was set back is a warning and a log line, until it is valid', async () => {
  const { clock, watch, logger, notices } = watched({
    pair: { days: 90, over: 10, chain: [{ subject: 'CN=Intermediate', days: 400, over: 300 }] },
    anchors: [{ name: 'CN=Root', days: 400, over: 10 }],
    lists: [{ name: 'CN=CA', days: 20, over: 5 }],
  })
  await clock.advance(10)
  assert.equal(watch.warnings.length, 0)
  clock.setWall(-8 * DAY)
  const [warning, ...more] = watch.warnings
  assert.deepEqual([warning?.code, warning?.path, more], ['CRL_NOT_YET_VALID', '/etc/tls/list.crl', []])
  assert.match(
    warning?.message ?? '',
    /^the revocation list of CN=CA in .* is not valid before .*Z; every client of its CA is refused until then$/,
  )
  await clock.advance(60_000)
  assert.deepEqual(logger.takeLines(), [
    'error served material is not valid yet: check the clock of this machine, which may have been set back',
  ])
  clock.setWall(-8 * DAY)
  assert.deepEqual(
    watch.warnings.map(({ code, message }) => [code, message.split(' ')[1]]),
    [
      ['CERT_NOT_YET_VALID', 'served'],
      ['CERT_NOT_YET_VALID', 'trust'],
      ['CRL_NOT_YET_VALID', 'revocation'],
    ],
  )
  await clock.advance(60_000)
  // The list was logged before.
  assert.deepEqual(
    logger.lines.map(({ fields }) => fields),
    [
      { generation: 1, kinds: ['leaf'], names: ['CN=localhost'], count: 1 },
      { generation: 1, kinds: ['ca'], names: ['CN=Root'], count: 1 },
    ],
  )
  logger.takeLines()
  clock.setWall(16 * DAY)
  assert.equal(watch.warnings.length, 0)
  await clock.advance(60_000)
  assert.deepEqual(new Set(logger.takeLines()), new Set(['info served material has become valid']))
  clock.setWall(-8 * DAY)
  await clock.advance(60_000)
  assert.equal(logger.takeLines().length, 1, 'again, because the clock went back again')
  assert.deepEqual(notices(), [])
})

test('a warning about material that is not valid yet ends when it becomes valid', async () => {
  const { clock, watch, logger } = watched({ pair: { days: 90, over: -1 / 24 } })
  await clock.advance(10)
  assert.deepEqual(
    watch.warnings.map(({ code }) => code),
    ['CERT_NOT_YET_VALID'],
  )
  assert.deepEqual(logger.takeLines(), [], 'the load has logged it')
  await pass(clock, HOUR + 60_000)
  assert.deepEqual(watch.warnings, [])
  assert.deepEqual(logger.takeLines(), ['info served material has become valid'])
})

test('a small correction of the clock around a threshold repeats no report', async () => {
  const { clock, notices } = watched({ pair: { days: 90 } })
  await pass(clock, 83 * DAY + 1_000)
  assert.deepEqual(notices(), ['leaf 22.5', 'leaf 7'])
  for (let i = 0; i < 5; i++) {
    clock.setWall(i % 2 === 0 ? -10_000 : 10_000)
    await clock.advance(60_000)
  }
  assert.deepEqual(notices(), [])
})

test('a renewal starts the reports again, and a generation with the same certificate repeats none', async () => {
  const { clock, notices, renew, again } = watched({ pair: { days: 90 } })
  await pass(clock, 68 * DAY)
  assert.deepEqual(notices(), ['leaf 22.5'])
  again()
  await pass(clock, DAY)
  assert.deepEqual(notices(), [])
  renew({ pair: { days: 90 } })
  await pass(clock, 67 * DAY)
  assert.deepEqual(notices(), [])
})

test('anchors that had expired before they were loaded are one warning with a limited list, and no event', async () => {
  const gone = Array.from({ length: 40 }, (_, i) => ({ name: `CN=Gone ${i}`, days: 30, over: 40 + i }))
  const { clock, notices, watch, logger } = watched({
    pair: { days: 90 },
    anchors: [...gone, { name: 'CN=Next', days: 400 }],
  })
  await pass(clock, HOUR)
  assert.deepEqual(notices(), [])
  assert.deepEqual(logger.takeLines(), [])
  const [warning, ...more] = watch.warnings
  assert.deepEqual(more, [])
  assert.match(
    warning?.message ?? '',
    /^40 trust anchors in \/etc\/tls\/ca\.crt have expired: CN=Gone 0 \(.* and 30 more$/,
  )
  assert.equal(watch.ends.ca?.name, 'CN=Next', 'they do not hide the next expiry')
})

test('if every anchor has expired, the latest expiry is shown', () => {
  const { watch } = watched({
    pair: { days: 90 },
    anchors: [
      { name: 'CN=Longer ago', days: 30, over: 60 },
      { name: 'CN=Lately', days: 30, over: 31 },
    ],
  })
  assert.equal(watch.ends.ca?.name, 'CN=Lately')
  assert.equal(watch.ends.ca?.expired, true)
})

test('a chain certificate that no client needs is a warning when it expires, and neither an event nor the expiry of the chain', async () => {
  const { clock, notices, watch } = watched({
    pair: { days: 90, chain: [{ subject: 'CN=Old root', days: 10, needed: false }] },
  })
  await pass(clock, 11 * DAY)
  assert.deepEqual(notices(), [])
  assert.match(
    watch.warnings[0]?.message ?? '',
    /clients that trust its root do not need it: leave it out of the file, or renew it$/,
  )
  assert.equal(watch.ends.chain, null)
})

test('thousands of hosts that expire together are one notice that names the first of them', async () => {
  const hosts = Array.from({ length: 3_000 }, (_, i) => ({ id: `h${i}.test`, days: 90 }))
  const { clock, sent, watch, renew } = watched({ pair: { days: 400 }, hosts })
  await pass(clock, 68 * DAY)
  // Long sets are compared in several turns of the event loop.
  await eventually('the notice', async () => {
    await clock.advance(60_000)
    return sent.length > 0
  })
  assert.equal(sent.length, 1)
  const [notice] = sent
  assert.deepEqual(
    [notice?.kind, notice?.host, notice?.count, notice?.others.length],
    ['leaf', 'h0.test', 3_000, 20],
  )
  clock.setWall(30 * DAY)
  const [warning] = watch.warnings
  assert.match(
    warning?.message ?? '',
    /^3000 served certificates have expired: h0\.test \(.* and 2990 more; clients/,
  )
  // All but one are renewed: that one is named, with its host.
  renew({ pair: { days: 400 }, hosts: [{ id: 'h7.test', days: 1, over: 2 }, ...hosts.slice(8)] })
  assert.deepEqual(
    watch.warnings.map(({ host }) => host),
    ['h7.test'],
  )
})

test('the chain of a host is watched too', async () => {
  const { clock, sent } = watched({
    pair: { days: 400 },
    hosts: [{ id: 'a.test', days: 90, chain: [{ subject: 'CN=Intermediate', days: 20 }] }],
  })
  await pass(clock, 21 * DAY)
  assert.deepEqual(
    sent.map(({ kind, host, name, thresholdDays }) => [kind, host, name, thresholdDays]),
    [5, 2.5, 1, 0].map((days) => ['chain', 'a.test', 'CN=Intermediate', days]),
  )
})

test('the list of thresholds can be empty; expiry itself is always reported', async () => {
  const { clock, notices } = watched({ pair: { days: 90 } }, [])
  await pass(clock, 91 * DAY)
  assert.deepEqual(notices(), ['leaf 0'])
})

test('each of a hundred thresholds is reported once', async () => {
  const days = Array.from({ length: 100 }, (_, i) => i + 1)
  const { clock, notices, again } = watched({ pair: { days: 90 } }, days)
  await pass(clock, 91 * DAY)
  const found = notices()
  assert.equal(found.at(-1), 'leaf 0')
  assert.equal(new Set(found).size, found.length)
  again()
  await pass(clock, HOUR)
  assert.deepEqual(notices(), [])
})

test('the schedule of checks follows the first expiry that new files must prevent', async () => {
  const { watch, clock } = watched({
    pair: { days: 90 },
    anchors: [{ name: 'CN=Root', days: 2 }],
    lists: [{ name: 'CN=CA', days: 7 }],
  })
  assert.equal(watch.leftMs, 2 * DAY)
  clock.setWall(3 * DAY)
  assert.equal(watch.leftMs, 4 * DAY, 'an expired anchor needs no new file')
  clock.setWall(5 * DAY)
  assert.equal(watch.leftMs, -DAY)
})

/** Advances the time, in steps that are long enough to be fast: the watch compares at least once between two of them. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  const minutes = ms / 60_000
  const steps = Math.min(minutes, 300)
  for (let step = 0; step < steps; step++) {
    clock.setWall(ms / steps - 60_000)
    await clock.advance(60_000)
  }
}

interface Life {
  readonly days: number
  /** The number of days that have passed. */
  readonly over?: number
}

interface Served {
  readonly pair: Life & { readonly chain?: readonly ChainLife[] }
  readonly anchors?: readonly (Life & { readonly name: string })[]
  readonly lists?: readonly (Life & { readonly name: string })[]
  readonly hosts?: readonly (Life & { readonly id: string; readonly chain?: readonly ChainLife[] })[]
}

type ChainLife = Life & { readonly subject: string; readonly needed?: boolean }

function watched(served: Served, expiryWarningDays: readonly number[] = [30, 7, 1]) {
  const clock = fakeClock()
  const logger = recordingLogger()
  const sent: ExpiryNotice[] = []
  let snapshot = snapshotOf(served, clock.wallMs(), expiryWarningDays)
  const watch = new LifeWatch(snapshot, { clock, logger, notify: (notice) => sent.push(notice) })
  return {
    clock,
    logger,
    watch,
    sent,
    notices: () => sent.splice(0).map(({ kind, thresholdDays }) => `${kind} ${thresholdDays}`),
    renew(next: Served) {
      snapshot = snapshotOf(next, clock.wallMs(), expiryWarningDays)
      watch.watch(snapshot)
    },
    again: () => watch.watch({ ...snapshot }),
  }
}

function snapshotOf(
  { pair, anchors = [], lists = [], hosts = [] }: Served,
  nowMs: number,
  expiryWarningDays: readonly number[],
): Snapshot {
  const datesOf = ({ days, over = 0 }: Life) => {
    const from = nowMs - over * DAY
    return { from, to: from + days * DAY }
  }
  const isoDates = (life: Life) => {
    const { from, to } = datesOf(life)
    return { notBefore: new Date(from).toISOString(), notAfter: new Date(to).toISOString() }
  }
  const factsOf = (
    life: Life & { readonly chain?: readonly ChainLife[] },
    name: string,
  ): CertificateFacts => {
    const chain = (life.chain ?? []).map((one): ChainCertificate => {
      const { subject, needed = true } = one
      return { subject, fingerprint256: subject, needed, ...isoDates(one) }
    })
    const dates = isoDates(life)
    return certificateFacts({ ...dates, fingerprint256: `${name} ${dates.notBefore}`, chain })
  }
  const labelled = (path: string) => (life: Life & { readonly name: string }) => {
    const { from, to } = datesOf(life)
    return { name: life.name, fingerprint256: `${life.name} ${from}`, path, from, to }
  }
  const ends = packTrustEnds(
    anchors.map(labelled('/etc/tls/ca.crt')),
    lists.map(labelled('/etc/tls/list.crl')),
  )
  const table = hosts.map((host) => servedHost(host.id, factsOf(host, host.id)))
  return {
    generation: { number: 1, certificates: [factsOf(pair, 'default')], hosts: null, warnings: [] },
    material: { trust: { authorities: null, revocationLists: [], ends, problems: [] } },
    hosts: runAtOnce(HostTable.empty.after(table, [])),
    options: {
      expiryWarningDays,
      sources: { pairs: [{ cert: '/etc/tls/tls.crt', key: '/etc/tls/tls.key' }], pfx: null },
    },
  } as unknown as Snapshot
}
