import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import type { SourceReport } from '../../../../src/main/index.js'
import { parsedReport } from '../../../../src/main/sources/redis/replica-report.js'
import { createReporter } from '../../../../src/main/sources/redis/reporter.js'
import { fakeClock } from '../../../../support/base/fake-clock.js'

const served: SourceReport = {
  ...{
    version: 'v1',
    host: null,
    outcome: 'served',
    generation: 1,
    at: '2026-11-30T20:00:00.000Z',
    problems: [],
  },
}
const problem = { code: 'KEY_TOO_WEAK', message: 'weak' } as const
const refused: SourceReport = { ...served, version: 'v2', outcome: 'refused', problems: [problem] }

test('a report is renewed three times in its lifetime, until the source is closed', async () => {
  const { reporter, sent, clock } = start()
  reporter.outcome(served)
  await turn()
  assert.deepEqual(sent.at(-1)?.slice(3), ['EX', '60'])
  const before = sent.length
  await clock.advance(60_000)
  assert.equal(sent.length - before, 3)
  await reporter.close()
  assert.deepEqual(sent.at(-1), ['DEL', 'key'])
  assert.equal(clock.pending, 0)
})

test('a refused version keeps the served one in the report, and the next served one clears it', async () => {
  const { reporter, last } = start()
  reporter.outcome(served)
  reporter.outcome(refused)
  const report = await last()
  assert.deepEqual([report.state, report.version, report.refused], ['refused', 'v1', 'v2'])
  assert.deepEqual(report.problems, [problem])
  reporter.outcome({ ...served, version: 'v3', generation: 2, at: '2026-11-30T21:00:00.000Z' })
  const after = await last()
  assert.deepEqual([after.state, after.refused, after.problems], ['served', null, []])
  assert.deepEqual([after.version, after.since, after.generation], ['v3', '2026-11-30T21:00:00.000Z', 2])
})

test('a store that gives no delivery is reported, and its recovery too', async () => {
  const { reporter, last, sent } = start()
  reporter.outcome(served)
  reporter.failure('read', { code: 'SOURCE_INVALID', message: 'half' })
  const failing = await last()
  assert.deepEqual([failing.state, failing.version], ['failing', 'v1'])
  const writes = sent.length
  reporter.failure('read', { code: 'SOURCE_INVALID', message: 'half' })
  assert.equal((await last()).state, 'failing')
  assert.equal(sent.length, writes, 'the same failure is written once')
  reporter.failure('read', null)
  assert.equal((await last()).state, 'served')
})

test('refused hosts are listed with their reason, at most 16, and disappear once they are served', async () => {
  const { reporter, last } = start()
  for (let i = 0; i < 20; i++) reporter.outcome({ ...refused, host: `h${i}.example` })
  const { hosts } = await last()
  assert.deepEqual([hosts.length, hosts[0]?.name, hosts[0]?.code], [16, 'h4.example', 'KEY_TOO_WEAK'])
  reporter.outcome({ ...served, host: 'h4.example' })
  assert.equal((await last()).hosts.length, 15)
})

test('a refused host that was withdrawn or set back disappears from the report, and others cause no write', async () => {
  const { reporter, last, sent } = start()
  reporter.outcome({ ...refused, host: 'a.example' })
  reporter.outcome({ ...refused, host: 'b.example' })
  await last()
  const writes = sent.length
  reporter.forgetHost('c.example')
  await turn()
  assert.equal(sent.length, writes)
  reporter.forgetHost('a.example')
  assert.deepEqual(
    (await last()).hosts.map(({ name }) => name),
    ['b.example'],
  )
})

test('a value that is no report is ignored', () => {
  for (const text of ['', 'null', '{}', '[]', '{"replica":1}', 'x'.repeat(70_000)]) {
    assert.equal(parsedReport(Buffer.from(text)), null)
  }
})

function start() {
  const sent: string[][] = []
  const clock = fakeClock()
  const reporter = createReporter({
    ...{ identity: 'web', replica: 'web-1', key: 'key', ttlSeconds: 60, clock },
    send: async (args) => {
      sent.push(args.map(String))
    },
  })
  const last = async () => {
    await turn()
    const report = parsedReport(Buffer.from(sent.findLast(([command]) => command === 'SET')?.[2] ?? ''))
    assert.ok(report)
    return report
  }
  return { reporter, sent, clock, last }
}
