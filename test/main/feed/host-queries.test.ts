import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { type HostRequest, SourceError, type SourceErrorCode } from '../../../src/main/api/source.js'
import type { HostAnswer } from '../../../src/main/feed/accept-host.js'
import { HostQueries, type HostQueryLimits } from '../../../src/main/feed/host-queries.js'
import { ProblemError } from '../../../src/workers/base/problem.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'

const DELIVERY = { version: '1', revision: null, set: { source: 'store', version: '1', items: [] } }

test('a thousand clients of one name cause one query, and all get its result', async () => {
  const { queries, requests, answer } = setup()
  const clients = Array.from({ length: 1000 }, (_, i) => queries.request(i % 2 ? 'a.example' : 'A.Example'))
  await turn()
  assert.deepEqual(
    requests.map(({ name, version }) => [name, version]),
    [['a.example', null]],
  )
  assert.equal(queries.pending, 1)
  answer('a.example', DELIVERY)
  for (const client of clients) assert.equal(await client, 'a.example delivered')
  assert.equal(queries.pending, 0)
  assert.equal(queries.queried.delivered, 1)
})

test('a name outside the allow-list is neither requested nor remembered', async () => {
  const { queries, requests } = setup()
  for (let i = 0; i < 10_000; i++) await queries.request(`${i}.elsewhere.invalid`)
  assert.deepEqual([requests.length, queries.pending, queries.absentNames], [0, 0, 0])
  assert.equal(queries.skipped['not-allowed'], 10_000)
})

test('a name that does not exist is requested again after `negativeSeconds` of the monotonic clock', async () => {
  const { queries, requests, clock } = setup({}, () => 'none')
  assert.equal(await queries.request('a.example'), 'a.example none')
  clock.setWall(86_400_000)
  await clock.advance(59_999)
  assert.deepEqual(await queries.request('a.example'), { miss: 'absent' })
  await clock.advance(1)
  assert.equal(await queries.request('a.example'), 'a.example none')
  assert.equal(requests.length, 2)
})

test('a name that did not exist is requested at once when the source announces it', async () => {
  const { queries, requests } = setup({}, () => 'none')
  await queries.request('a.example')
  await queries.request('b.example')
  queries.forget('a.example', () => {})
  await queries.request('a.example')
  assert.deepEqual(await queries.request('b.example'), { miss: 'absent' })
  queries.forget(null, () => {})
  await queries.request('b.example')
  assert.equal(requests.length, 4)
})

test('a flood of names that do not exist takes a bounded amount of memory', async () => {
  const { queries, requests } = setup({}, () => 'none')
  for (let i = 0; i < 100_000; i++) {
    const result = queries.request(`${i}.example`)
    if (i % 100 !== 99) continue
    await result
    requests.length = 0
  }
  assert.ok(queries.absentNames <= 10_000)
  assert.deepEqual([queries.pending, queries.queried.none], [0, 100_000])
})

test('beyond `maxPending` a name is not requested, and one that is pending can still be joined', async () => {
  const { queries, requests, answer } = setup({ maxPending: 2 })
  const [a, b] = [queries.request('a.example'), queries.request('b.example')]
  assert.deepEqual(await queries.request('c.example'), { miss: 'busy' })
  const joined = queries.request('a.example')
  await turn()
  answer('a.example', DELIVERY)
  assert.equal(await joined, await a)
  const c = queries.request('c.example')
  await turn()
  answer('b.example', DELIVERY)
  answer('c.example', DELIVERY)
  assert.deepEqual(await Promise.all([b, c]), ['b.example delivered', 'c.example delivered'])
  assert.deepEqual([requests.length, queries.skipped.busy], [3, 1])
})

test('a host in service is refreshed even when clients occupy every query', async () => {
  const { queries, requests, answer } = setup({ maxPending: 1 })
  void queries.request('a.example')
  const refreshed = queries.refresh('b.example', '7')
  await turn()
  assert.equal(requests[1]?.version, '7')
  answer('b.example', 'unchanged')
  assert.equal(await refreshed, 'b.example unchanged')
})

test('a source that hangs, and ignores the signal, costs its clients the time limit once', async () => {
  const { queries, requests, clock } = setup()
  const first = queries.request('a.example')
  await clock.advance(2000)
  const second = queries.request('a.example')
  await clock.advance(999)
  assert.equal(requests[0]?.signal.aborted, false)
  await clock.advance(1)
  assert.deepEqual(await Promise.all([first, second]), [{ miss: 'late' }, { miss: 'late' }])
  assert.equal(requests[0]?.signal.aborted, true)
  await turn()
  assert.deepEqual([queries.pending, clock.pending, queries.queried.SOURCE_TIMEOUT], [0, 0, 1])
})

test('an answer in time whose preparation takes long is used, but its clients do not wait for it', async () => {
  let finish = () => {}
  const prepared = new Promise<void>((resolve) => {
    finish = resolve
  })
  const { queries, clock } = setup(
    {},
    () => DELIVERY,
    () => prepared,
  )
  const result = queries.request('a.example')
  await turn()
  await clock.advance(3000)
  assert.deepEqual(await result, { miss: 'late' })
  assert.deepEqual(await queries.request('a.example'), { miss: 'late' })
  assert.equal(queries.queried.SOURCE_TIMEOUT, 0)
  assert.equal(queries.pending, 1)
  finish()
  await turn()
  assert.equal(queries.pending, 0)
})

test('refused material is a problem of its name: the name waits, and others are requested', async () => {
  const problem = { code: 'CERT_EXPIRED', message: 'expired', host: 'a.example' } as const
  const { queries, clock, logger } = setup(
    {},
    () => DELIVERY,
    (name) => {
      if (name === 'a.example') throw new ProblemError(problem.code, problem.message)
    },
  )
  const first = await queries.request('a.example')
  assert.ok(typeof first === 'object' && first.miss === 'failed' && first.problem.code === 'CERT_EXPIRED')
  assert.deepEqual(await queries.request('a.example'), { miss: 'failing' })
  for (let i = 0; i < 5; i++) assert.equal(await queries.request(`${i}.example`), `${i}.example delivered`)
  await clock.advance(10_000)
  assert.equal(((await queries.request('a.example')) as { miss: string }).miss, 'failed')
  assert.deepEqual(logger.lines, [])
})

test('an invalid answer for one name does not keep other names from being requested', async () => {
  const { queries } = setup({}, (name) => {
    if (name.startsWith('bad')) throw new SourceError('SOURCE_INVALID', 'not PEM')
    return DELIVERY
  })
  for (let i = 0; i < 10; i++) await queries.request(`bad${i}.example`)
  assert.equal(await queries.request('a.example'), 'a.example delivered')
  assert.equal(queries.outage.sinceMs, null)
})

test('`unchanged` for a name that was not delivered is an invalid answer', async () => {
  const { queries } = setup({}, () => 'unchanged')
  const result = await queries.request('a.example')
  assert.ok(typeof result === 'object' && result.miss === 'failed')
  assert.equal(result.problem.code, 'SOURCE_INVALID')
})

for (const code of ['SOURCE_UNREACHABLE', 'SOURCE_DENIED'] as const satisfies SourceErrorCode[]) {
  test(`an outage of 10,000 names (${code}) is three queries, two log lines, and one attempt for each delay`, async () => {
    let isDown = true
    const { queries, requests, clock, logger } = setup({}, () => {
      if (isDown) throw new SourceError(code, 'no connection')
      return DELIVERY
    })
    const ask = async () => {
      for (let i = 0; i < 10_000; i++) await queries.request(`${i}.example`)
    }
    await ask()
    assert.equal(requests.length, 3)
    assert.equal(queries.outage.problem?.code, code)
    for (const delay of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      const before: number = requests.length
      await clock.advance(delay / 2 - 1)
      await ask()
      assert.equal(requests.length, before, `before ${delay / 2} ms`)
      await clock.advance(delay / 2 + 1)
      await ask()
      assert.equal(requests.length, before + 1, `after ${delay} ms`)
    }
    isDown = false
    await clock.advance(60_000)
    await ask()
    assert.equal(queries.outage.sinceMs, null)
    assert.equal(queries.queried.delivered, 10_000)
    const [begun, ended, ...more] = logger.lines
    assert.deepEqual([begun?.level, ended?.level, more], ['warn', 'info', []])
    assert.deepEqual(begun?.fields, { source: 'store', code, problem: 'source store: no connection' })
    assert.deepEqual(ended?.fields, { source: 'store', forMs: 243_000 })
  })
}

test('during an outage only one attempt is under way, and the delay that the source asks for is honoured', async () => {
  const { queries, requests, clock, fail } = setup()
  void queries.request('a.example')
  await turn()
  fail('a.example', new SourceError('SOURCE_UNREACHABLE', 'busy', { retryAfterMs: 90_000 }))
  await turn()
  await clock.advance(89_999)
  assert.deepEqual(await queries.request('b.example'), { miss: 'outage' })
  await clock.advance(1)
  void queries.request('b.example')
  assert.deepEqual(await queries.request('c.example'), { miss: 'outage' })
  await turn()
  assert.equal(requests.length, 2)
})

test('a name that the source refuses, requested again and again, keeps neither other names nor renewals back', async () => {
  const { queries, requests, clock } = setup({}, (name) => {
    if (name === 'refused.example') throw new SourceError('SOURCE_DENIED', 'answered 403')
    return DELIVERY
  })
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 10; i++) await queries.request('refused.example')
    if (second % 7 === 6)
      assert.equal(await queries.request(`${second}.example`), `${second}.example delivered`)
    await clock.advance(1000)
  }
  assert.equal(requests.filter(({ name }) => name === 'refused.example').length, 6)
  assert.equal(queries.skipped.outage, 0)
})

test('an outage that several refused names seem to be ends with the next name, and does not hold renewals back', async () => {
  const { queries, clock } = setup({}, (name) => {
    if (name.startsWith('refused')) throw new SourceError('SOURCE_DENIED', 'answered 403')
    return DELIVERY
  })
  for (let i = 0; i < 4; i++) await queries.request(`refused${i}.example`)
  assert.deepEqual(await queries.request('cold.example'), { miss: 'outage' })
  await clock.advance(1000)
  for (let i = 0; i < 3; i++) await queries.request(`refused${i}.example`)
  assert.equal(await queries.request('cold.example'), 'cold.example delivered')
  for (let i = 5; i < 9; i++) await queries.request(`refused${i}.example`)
  assert.deepEqual(await queries.request('other.example'), { miss: 'outage' })
  assert.equal(await queries.refresh('served.example', '1'), 'served.example delivered')
  assert.equal(await queries.request('other.example'), 'other.example delivered')
})

test('renewals that fail are an outage too: one attempt for each delay, shown and logged once', async () => {
  const { queries, requests, clock, logger } = setup({}, () => {
    throw new SourceError('SOURCE_UNREACHABLE', 'no connection')
  })
  const refreshAll = async () => {
    for (let i = 0; i < 100; i++) await queries.refresh(`${i}.example`, '1')
  }
  await refreshAll()
  assert.equal(requests.length, 3)
  await clock.advance(1000)
  await refreshAll()
  assert.equal(requests.length, 4)
  assert.equal(queries.outage.problem?.code, 'SOURCE_UNREACHABLE')
  assert.equal(logger.lines.length, 1)
})

test('a source that fails now and then is logged at most once a minute', async () => {
  let count = 0
  const { queries, clock, logger } = setup({ negativeSeconds: 0 }, () => {
    if (count++ % 2 === 0) throw new SourceError('SOURCE_UNREACHABLE', 'reset')
    return DELIVERY
  })
  for (let i = 0; i < 120; i++) {
    await queries.request(`${i}.example`)
    await clock.advance(1000)
  }
  assert.deepEqual(
    logger.lines.map(({ level }) => level),
    ['warn', 'info', 'warn', 'info'],
  )
  assert.equal(queries.skipped.outage, 0)
})

test('the message of an error that is not a SourceError is not shown', async () => {
  const { queries, logger } = setup({}, () => {
    throw new Error('-----BEGIN PRIVATE KEY-----')
  })
  const result = await queries.request('a.example')
  assert.ok(typeof result === 'object' && result.miss === 'failed')
  assert.equal(result.problem.code, 'SOURCE_UNREACHABLE')
  assert.doesNotMatch(JSON.stringify([result, logger.lines]), /PRIVATE/)
})

test('close() aborts every query, ends every wait, and no query follows', async () => {
  const { queries, requests, clock } = setup()
  const waiting = [queries.request('a.example'), queries.refresh('b.example', '1')]
  await turn()
  queries.close()
  assert.deepEqual([await waiting[0], await waiting[1]], [{ miss: 'closed' }, { miss: 'closed' }])
  assert.ok(requests.every(({ signal }) => signal.aborted))
  assert.deepEqual(await queries.request('c.example'), { miss: 'closed' })
  await turn()
  assert.deepEqual([requests.length, queries.pending, clock.pending], [2, 0, 0])
})

interface Asked extends HostRequest {
  resolve(answer: HostAnswer): void
  reject(error: Error): void
}

/** Queries of a source that answers by `react`, or is answered by the test; `use` runs before an answer is the result. */
function setup(
  limits: Partial<HostQueryLimits> = {},
  react?: (name: string) => HostAnswer,
  use: (name: string) => Promise<void> | void = () => {},
) {
  const clock = fakeClock()
  const logger = recordingLogger()
  const requests: Asked[] = []
  const parts = {
    source: {
      name: 'store',
      readHost: (request: HostRequest) =>
        new Promise<HostAnswer>((resolve, reject) => {
          requests.push({ ...request, resolve, reject })
          if (react) resolve(react(request.name))
        }),
    },
    ...{ clock, logger, random: () => 0.999 },
    accept: (_: string, answer: unknown) => answer as HostAnswer,
    use: async (name: string, answer: HostAnswer) => {
      await use(name)
      return `${name} ${typeof answer === 'string' ? answer : 'delivered'}`
    },
  }
  const defaults = { allow: ['*.example'], maxPending: 100, timeoutMs: 3000, negativeSeconds: 60 }
  const queries = new HostQueries(parts, { ...defaults, ...limits })
  const lastOf = (name: string) => requests.findLast((one) => one.name === name) as Asked
  return {
    ...{ queries, clock, logger, requests },
    answer: (name: string, answer: HostAnswer) => lastOf(name).resolve(answer),
    fail: (name: string, error: Error) => lastOf(name).reject(error),
  }
}
