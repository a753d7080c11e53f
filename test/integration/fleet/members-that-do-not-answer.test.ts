/* One fleet member that does not answer must not keep the others on an old certificate for ever. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test as run, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'

import type { Clock } from '../../../src/main/base/clock.js'
import { startEngine } from '../../../src/main/engine/engine.js'
import { type EvictedMember, type ShareOptions, shareEngine } from '../../../src/main/fleet/index.js'
import type {
  CertificateFacts,
  ReloadEngine,
  ReloadEngineOptions,
  ReloadOptions,
  ReloadResult,
} from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { eventually } from '../../../support/base/eventually.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type FleetPuppet, fleetPuppet, unjoinedMember } from '../../../support/fleet/fleet-puppet.js'
import { createAuthority } from '../../../support/material/certificates.js'

/** Nothing here depends on the Node version. */
const skip = process.versions.node.startsWith('20.')
  ? false
  : 'needs Node 20, the only version that it runs on'
const test = (title: string, act: (t: TestContext) => Promise<void>): void => void run(title, { skip }, act)
const authority = createAuthority()
/** No other timer uses it, so a test can detect that members are awaited. */
const TIMEOUT_MS = 10_007
const DAY_MS = 86_400_000

test('a member that does not answer holds back three renewals, and the third reaches all others', async (t) => {
  const { engine, rotate, roll, member, logger } = await fleet(t)
  const [stuck, other] = [await member(1), await member(2)]
  stuck.answers = 'none'
  rotate()
  for (const attempt of [1, 2]) {
    const { outcome, problems } = await roll()
    assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['MEMBER_TIMEOUT']])
    assert.match(
      problems[0]?.message ?? '',
      new RegExp(`pid 1\\).* ${TIMEOUT_MS} ms.*${attempt} of 3 roll-outs`),
    )
    assert.equal(engine.status().members[0]?.missed, attempt)
  }
  const result = await roll()
  assert.deepEqual([result.outcome, outcomes(result)], ['applied', { 1: 'evicted', 2: 'applied' }])
  const [warning] = ofMembers(result.warnings)
  assert.match(warning?.message ?? '', /member 1 \(pid 1\).*serves generation 1.*kill -KILL 1/)
  assert.deepEqual(evictedIn(engine), [1])
  await lastAre([other], ['settle'])
  const errors = logger.lines.filter(({ level }) => level === 'error').map(({ message }) => message)
  assert.deepEqual(errors, ['member evicted; the fleet continues without it'])
})

test('the next renewals do not wait for an evicted member, and every result names it until it ends', async (t) => {
  const { engine, rotate, roll, member } = await fleet(t, { patience: 1 })
  const stuck = await member(1)
  await member(2)
  stuck.answers = 'none'
  rotate()
  assert.equal((await roll()).outcome, 'applied')
  rotate()
  const { outcome, members, warnings } = await engine.reload()
  assert.deepEqual(
    [outcome, members.map(({ pid }) => pid), codes(ofMembers(warnings))],
    ['applied', [2], ['MEMBER_EVICTED']],
  )
  const unchanged = await engine.reload()
  assert.deepEqual(
    [unchanged.outcome, codes(ofMembers(unchanged.warnings))],
    ['unchanged', ['MEMBER_EVICTED']],
  )
  stuck.say({ kind: 'leave' })
  await eventually('it has left', () => engine.status().members.length === 1)
  assert.deepEqual(ofMembers((await engine.reload()).warnings), [])
})

test('a member that is slow twice and answers in between is not evicted', async (t) => {
  const { engine, rotate, roll, member } = await fleet(t, { patience: 2 })
  const slow = await member(1)
  for (let i = 0; i < 3; i++) {
    slow.answers = 'none'
    rotate()
    assert.equal((await roll()).outcome, 'rejected')
    slow.wake()
    assert.equal((await engine.reload()).outcome, 'applied')
    assert.equal(engine.status().members[0]?.missed, 0)
  }
})

test('members that are slow in turn hold back no more renewals than one of them', async (t) => {
  const { rotate, roll, member } = await fleet(t)
  const [one, two] = [await member(1), await member(2)]
  rotate()
  one.answers = 'none'
  assert.equal((await roll()).outcome, 'rejected')
  one.wake()
  two.answers = 'none'
  assert.equal((await roll()).outcome, 'rejected')
  two.wake()
  one.answers = 'none'
  assert.deepEqual(outcomes(await roll()), { 1: 'evicted', 2: 'applied' })
})

test('a member that does not read is sent one generation, however often it is awaited', async (t) => {
  const { rotate, roll, member } = await fleet(t, { patience: 20 })
  const stuck = await member(1)
  stuck.answers = 'none'
  const before = stuck.sent.length
  for (let i = 0; i < 10; i++) {
    rotate()
    assert.equal((await roll()).outcome, 'rejected')
  }
  assert.deepEqual(stuck.sent.slice(before), ['stage', 'abort'])
})

test('a member that reports and requests reloads, but never builds, is evicted like a silent one', async (t) => {
  const { engine, rotate, roll, member } = await fleet(t, { patience: 2 })
  const stuck = await member(1)
  stuck.answers = 'none'
  rotate()
  for (const outcome of ['rejected', 'applied']) {
    stuck.say({ kind: 'report', report: { ...REPORT, connections: { 1: 7 } } })
    assert.equal((await roll()).outcome, outcome)
  }
  assert.deepEqual([evictedIn(engine), engine.status().connections], [[1], { 1: 7 }])
})

test('a member that built a generation and is suspended before the commit is evicted, and the others keep the generation', async (t) => {
  const { engine, rotate, roll, member } = await fleet(t, { patience: 2 })
  const [stuck, other] = [await member(1), await member(2)]
  stuck.answers = 'staging'
  rotate()
  const { outcome, problems } = await roll()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['MEMBER_TIMEOUT']])
  await lastAre([stuck, other], ['revert', 'revert'])
  assert.equal(engine.status().generation.number, 1)
  stuck.wake()
  stuck.answers = 'staging'
  assert.deepEqual(outcomes(await roll()), { 1: 'evicted', 2: 'applied' })
  await lastAre([stuck, other], ['evicted', 'settle'])
})

for (const answers of ['none', 'staging'] as const) {
  test(`a removed CA is awaited once, and the result is incomplete while the member lives: ${answers}`, async (t) => {
    const { engine, roll, member, distrust } = await fleet(t, {}, 'mutual')
    const stuck = await member(1)
    await member(2)
    stuck.answers = answers
    distrust()
    const result = await roll()
    assert.deepEqual([result.outcome, outcomes(result)], ['applied', { 1: 'evicted', 2: 'applied' }])
    assert.deepEqual(codes(result.problems), ['MEMBER_EVICTED'])
    assert.equal(engine.status().members[0]?.evicted?.trustWithdrawn, true)
    assert.deepEqual(codes((await engine.reload()).problems), ['MEMBER_EVICTED'])
    assert.equal(engine.status().state, 'failing')
    stuck.wake()
    await eventually('it has joined again', () => evictedIn(engine).length === 0)
    const { outcome, problems } = await engine.reload()
    assert.deepEqual([outcome, problems, engine.status().state], ['unchanged', [], 'serving'])
  })
}

test('trust that is withdrawn after an eviction makes the evicted member a problem', async (t) => {
  const { engine, roll, rotate, member, distrust } = await fleet(t, { patience: 1 }, 'mutual')
  const stuck = await member(1)
  stuck.answers = 'none'
  rotate()
  assert.deepEqual((await roll()).problems, [])
  distrust()
  assert.deepEqual(codes((await engine.reload()).problems), ['MEMBER_EVICTED'])
})

test('a forced reload waits for each member once', async (t) => {
  const { rotate, roll, member } = await fleet(t)
  const stuck = await member(1)
  stuck.answers = 'none'
  rotate()
  assert.deepEqual(outcomes(await roll({ force: true })), { 1: 'evicted' })
})

test('a certificate in the last tenth of its life is replaced without waiting twice', async (t) => {
  const { engine, clock, rotate, roll, member } = await fleet(t)
  const stuck = await member(1)
  stuck.answers = 'none'
  const { notBefore, notAfter } = engine.status().generation.certificates[0] as CertificateFacts
  const [from, to] = [notBefore, notAfter].map((time) => Date.parse(time)) as [number, number]
  await clock.advance(from + 0.89 * (to - from) - clock.wallMs())
  rotate()
  assert.equal((await roll()).outcome, 'rejected')
  await clock.advance(0.02 * (to - from))
  rotate()
  assert.equal((await roll()).outcome, 'applied')
})

test('update() and rollback() reach the other members like a reload', async (t) => {
  const { engine, rotate, clock, member } = await fleet(t, { patience: 2 })
  const stuck = await member(1)
  rotate()
  assert.equal((await engine.reload()).outcome, 'applied')
  for (const act of [() => engine.update({ tls: { minVersion: 'TLSv1.3' } }), () => engine.rollback()]) {
    stuck.answers = 'none'
    assert.equal((await late(act(), clock)).outcome, 'rejected')
    assert.equal((await late(act(), clock)).outcome, 'applied')
    stuck.wake()
    await eventually('it has joined again', () => evictedIn(engine).length === 0)
  }
})

test('two members that do not answer, of three or of two, are both evicted', async (t) => {
  for (const count of [3, 2]) {
    const { engine, rotate, roll, member } = await fleet(t, { patience: 1 })
    const members = await Promise.all(Array.from({ length: count }, (_, i) => member(i + 1)))
    for (const stuck of members.slice(0, 2)) stuck.answers = 'none'
    rotate()
    const result = await roll()
    assert.deepEqual(
      [result.outcome, ofMembers(result.warnings).length, evictedIn(engine)],
      ['applied', 2, [1, 2]],
    )
  }
})

test('a member that wakes up joins again and is sent the complete current generation', async (t) => {
  const { engine, rotate, roll, member, logger } = await fleet(t, { patience: 1 })
  const stuck = await member(1)
  stuck.answers = 'none'
  rotate()
  await roll()
  rotate()
  await engine.reload()
  stuck.wake()
  await eventually('it has joined again', () => evictedIn(engine).length === 0)
  const [status] = engine.status().members
  assert.deepEqual([status?.id, status?.generation, status?.missed], [1, 3, 0])
  assert.ok(logger.lines.some(({ message }) => message === 'member rejoined'))
  rotate()
  assert.deepEqual(outcomes(await engine.reload()), { 1: 'applied' })
})

test('a process that is suspended while it joins holds back no renewal', async (t) => {
  const { engine, shared, clock, rotate, member, logger } = await fleet(t)
  await member(1)
  const stuck = unjoinedMember(t, shared, 2)
  stuck.answers = 'none'
  stuck.say({ kind: 'join', pid: 2, threadId: 0 })
  await eventually('it is sent the current generation', () => stuck.sent.includes('stage'))
  rotate()
  assert.deepEqual(outcomes(await engine.reload()), { 1: 'applied' })
  await clock.advance(TIMEOUT_MS)
  await eventually('it is abandoned', () =>
    logger.lines.some(({ message }) => message === 'member could not join'),
  )
  assert.equal(shared.members().length, 1)
})

test('members are listed by their ids, in the status and in results, whichever of them joins first', async (t) => {
  const { engine, shared, rotate, member } = await fleet(t)
  const slow = unjoinedMember(t, shared, 1)
  slow.answers = 'none'
  slow.say({ kind: 'join', pid: 1, threadId: 0 })
  await eventually('it is sent the current generation', () => slow.sent.includes('stage'))
  await member(2)
  slow.wake()
  await eventually('it has joined', () => shared.members().length === 2)
  rotate()
  const { members } = await engine.reload()
  for (const listed of [engine.status().members, members])
    assert.deepEqual(
      listed.map(({ id, pid }) => [id, pid]),
      [
        [1, 1],
        [2, 2],
      ],
    )
})

test('a member that joins during a renewal begins with the new generation', async (t) => {
  const { engine, shared, rotate, member } = await fleet(t)
  await member(1)
  const late = unjoinedMember(t, shared, 2)
  late.answers = 'none'
  late.say({ kind: 'join', pid: 2, threadId: 0 })
  await eventually('it is sent the current generation', () => late.sent.includes('stage'))
  rotate()
  assert.equal((await engine.reload()).outcome, 'applied')
  late.wake()
  await eventually('it has joined', () => shared.members().length === 2)
  assert.deepEqual(
    shared.members().map(({ generation }) => generation),
    [2, 2],
  )
})

test('a member that dies while it is awaited is removed, and causes no eviction of another', async (t) => {
  const { engine, rotate, roll, member } = await fleet(t)
  const [dying] = [await member(1), await member(2)]
  dying.answers = 'none'
  rotate()
  const pass = engine.reload()
  await eventually('it has received the request', () => lastOf(dying.sent) === 'stage')
  dying.say({ kind: 'leave' })
  assert.deepEqual(outcomes(await pass), { 1: 'gone', 2: 'applied' })
  rotate()
  assert.deepEqual(outcomes(await roll()), { 2: 'applied' })
})

test('the application is informed of an evicted member, with the thread or process to end', async (t) => {
  const seen: [EvictedMember, object][] = []
  const { engine, rotate, roll, member } = await fleet(t, {
    patience: 1,
    onEvicted(evicted, peer) {
      seen.push([evicted, peer])
      throw new Error('a fault of the application')
    },
  })
  const heard: EvictedMember[] = []
  engine.on('evicted', (evicted) => heard.push(evicted))
  const stuck = await member(4711)
  stuck.answers = 'none'
  rotate()
  assert.equal((await roll()).outcome, 'applied')
  assert.deepEqual(
    seen.map(([{ pid, generation }]) => [pid, generation]),
    [[4711, 1]],
  )
  assert.equal(typeof Object(seen[0]?.[1]).postMessage, 'function')
  assert.deepEqual(
    heard,
    seen.map(([evicted]) => evicted),
  )
})

test('metrics count members by state, and evictions', async (t) => {
  const { engine, rotate, roll, member } = await fleet(t, { patience: 1 })
  const metrics = createMetrics(engine)
  t.after(() => metrics.close())
  const [stuck] = [await member(1), await member(2)]
  assert.match(await metrics.text(), /^certswap_members\{state="serving"\} 2$/m)
  assert.match(await metrics.text(), /^certswap_member_evictions_total 0$/m)
  stuck.answers = 'none'
  rotate()
  await roll()
  const text = await metrics.text()
  assert.match(text, /^certswap_members\{state="serving"\} 1$/m)
  assert.match(text, /^certswap_members\{state="evicted"\} 1$/m)
  assert.match(text, /^certswap_member_evictions_total 1$/m)
})

test('a patience that is not a number of attempts is refused', async (t) => {
  const { engine, shared } = await fleet(t)
  shared.close()
  for (const patience of [0, -1, 1.5, 1001, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => shareEngine(engine, { patience }), { code: 'OPTIONS_INVALID', message: /patience/ })
  }
})

const REPORT = {
  generation: 1,
  servers: 1,
  connections: {},
  listeners: [],
  policies: [],
  refusedPeers: { PEER_NOT_ALLOWED: 0, TRUST_DOMAIN: 0 },
}

async function fleet(t: TestContext, options: ShareOptions = {}, kind: 'plain' | 'mutual' = 'plain') {
  const dir = tempDir(t)
  const logger = recordingLogger()
  const clock = watchedClock()
  const rotate = () =>
    void writePair(dir, authority.issue({ notAfter: new Date(clock.wallMs() + 90 * DAY_MS) }))
  const pair = writePair(dir, authority.issue({ notAfter: new Date(clock.wallMs() + 90 * DAY_MS) }))
  const [kept, removed] = [createAuthority(), createAuthority()]
  const ca = join(dir, 'ca.pem')
  overwriteInPlace(ca, kept.certPem + removed.certPem)
  const trust: Partial<ReloadEngineOptions> = kind === 'mutual' ? { ca, requestCert: true } : {}
  const engine = await startEngine({ ...pair, ...trust, verifyServed: false, logger }, { clock })
  t.after(() => engine.close())
  const shared = shareEngine(engine, { timeoutMs: TIMEOUT_MS, ...options })
  const member = (pid: number) => fleetPuppet(t, shared, pid)
  const roll = (reload: ReloadOptions = {}) => late(engine.reload(reload), clock)
  const distrust = () => overwriteInPlace(ca, kept.certPem)
  return { engine, shared, clock, logger, rotate, roll, member, distrust }
}

interface WatchedClock extends ReturnType<typeof fakeClock> {
  /** Whether a timer waits for members. */
  readonly isWaitedBy: boolean
}

function watchedClock(): WatchedClock {
  const clock = fakeClock()
  const waits = new Set<object>()
  const after: Clock['after'] = (delayMs, callback) => {
    const wait = {}
    if (delayMs === TIMEOUT_MS) waits.add(wait)
    const cancel = clock.after(delayMs, () => {
      waits.delete(wait)
      callback()
    })
    return () => {
      waits.delete(wait)
      cancel()
    }
  }
  return {
    ...clock,
    after,
    pending: 0,
    get isWaitedBy() {
      return waits.size > 0
    },
  }
}

/** The result of a pass that waits for members in vain: the time advances once all others must have answered. */
async function late(pass: Promise<ReloadResult>, clock: WatchedClock): Promise<ReloadResult> {
  let done = false
  const result = pass.finally(() => {
    done = true
  })
  let waited = 0
  while (!done) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    waited = clock.isWaitedBy ? waited + 1 : 0
    if (waited < 50) continue
    await clock.advance(TIMEOUT_MS)
    // The next request of the same roll-out begins now, and its answers need their time too.
    waited = 0
  }
  return await result
}

function outcomes({ members }: ReloadResult): Record<number, string> {
  return Object.fromEntries(members.map(({ pid, outcome }) => [pid, outcome]))
}

function evictedIn(engine: ReloadEngine): number[] {
  return engine.status().members.flatMap(({ pid, evicted }) => (evicted ? [pid] : []))
}

function ofMembers(problems: ReloadResult['problems']): ReloadResult['problems'] {
  return problems.filter(({ code }) => code.startsWith('MEMBER_'))
}

function codes(problems: ReloadResult['problems']): string[] {
  return problems.map(({ code }) => code)
}

/** Messages are in transit for a moment after a roll-out has ended. */
async function lastAre(puppets: readonly FleetPuppet[], kinds: readonly string[]): Promise<void> {
  const last = () => puppets.map(({ sent }) => lastOf(sent))
  await eventually(`the last messages are ${kinds}`, () => isDeepStrictEqual(last(), kinds))
}

function lastOf(list: readonly string[]): string | undefined {
  return list.at(-1)
}
