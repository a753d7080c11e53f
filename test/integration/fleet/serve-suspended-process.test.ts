/* `certswap serve --processes` with a suspended process: renewals, `status` and the stop do not depend on it. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { assertRefused } from '../../../support/clients/refusal.js'
import { servedBy } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { suspend } from '../../../support/processes/suspend.js'
import { request } from '../../../support/servers/control.js'

const authority = createAuthority()
const MEMBER = ['--processes', '2', '--member-timeout', '1']

test('a suspended process is replaced after as many attempts as --member-patience allows, and all serve the renewal', async (t) => {
  const { cwd, served, rotate } = await serving(t, ['--member-patience', '2'])
  const [stuck, , id] = await suspended(t, cwd)
  const leaf = rotate()
  const refused = await certswap(['reload'], { cwd })
  assert.equal(refused.code, 1)
  assert.match(
    refused.stderr,
    new RegExp(`MEMBER_TIMEOUT: member ${id} \\(pid ${stuck}\\).*1 of 2 roll-outs`),
  )
  assert.match((await certswap(['status'], { cwd })).stdout, /has not answered 1 roll-outs in a row/)
  const reloaded = await certswap(['reload'], { cwd })
  assert.equal(reloaded.code, 0, reloaded.stderr)
  assert.match(reloaded.stdout, new RegExp(`MEMBER_EVICTED: member ${id} \\(pid ${stuck}\\)`))
  // The attempt that was held back has a number too.
  assert.deepEqual(await generationsOnceReplaced(cwd, stuck), [3, 3])
  for (let i = 0; i < 4; i++) assert.equal(await servedBy(served.port), leaf.fingerprint256)
  assert.equal(await served.stop('SIGTERM'), 0)
  await ended(stuck)
})

test('a revoked CA is refused by all processes after one attempt: the suspended one is killed before the answer', async (t) => {
  const [kept, removed] = [createAuthority(), createAuthority()]
  const { cwd, served } = await serving(
    t,
    ['--ca', 'ca.pem', '--request-cert'],
    kept.certPem + removed.certPem,
  )
  const [stuck] = await suspended(t, cwd)
  overwriteInPlace(`${cwd}/ca.pem`, kept.certPem)
  const { code, stderr } = await certswap(['reload'], { cwd })
  assert.equal(code, 0, stderr)
  await ended(stuck)
  assert.deepEqual(await generationsOnceReplaced(cwd, stuck), [2, 2])
  const { certPem: cert, keyPem: key } = removed.issue({ extendedKeyUsage: 'client' })
  for (let i = 0; i < 4; i++) await assertRefused({ port: served.port, cert, key, confirm: true })
})

test('a signal ends serve and its suspended process within the deadline of the drain', async (t) => {
  const { cwd, served } = await serving(t, ['--drain-deadline', '1'])
  const [stuck, other] = await suspended(t, cwd)
  assert.equal((await certswap(['status'], { cwd })).code, 0)
  assert.equal(await served.stop('SIGTERM'), 1)
  for (const pid of [stuck, other]) await ended(pid)
})

test('the limits of the options are checked', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, authority.issue())
  for (const [flag, value] of [
    ['--member-patience', '0'],
    ['--member-patience', '1001'],
    ['--member-timeout', '0'],
  ] as const) {
    const { code, stderr } = await certswap(['serve', ...PAIR, flag, value], { cwd })
    assert.deepEqual([code, stderr.includes(flag)], [2, true], `${flag} ${value}`)
  }
})

const PAIR = ['--cert', 'tls.crt', '--key', 'tls.key', '--auto-reload-interval', '0']

async function serving(t: TestContext, flags: readonly string[], ca?: string) {
  const cwd = tempDir(t)
  writePair(cwd, authority.issue())
  if (ca !== undefined) overwriteInPlace(`${cwd}/ca.pem`, ca)
  const served = await certswapServe(t, [...PAIR, ...MEMBER, ...flags], { cwd })
  const rotate = () => {
    const leaf = authority.issue()
    writePair(cwd, leaf)
    return leaf
  }
  return { cwd, served, rotate }
}

interface MemberRow {
  readonly id: number
  readonly pid: number
  readonly generation: number
  readonly evicted: object | null
}

/** Sends the request to the control server itself: a client program for each request would take a second on a busy machine. */
async function membersOf(cwd: string): Promise<MemberRow[]> {
  return (await request(`${cwd}/.certswap/control.sock`, '/status')).json.members
}

/** Suspends the first process; returns the pids of both, and the number of the member that is suspended. */
async function suspended(t: TestContext, cwd: string): Promise<[number, number, number]> {
  const members = await membersOf(cwd)
  const [first, second] = members.map(({ pid }) => pid) as [number, number]
  suspend(first)
  t.after(() => {
    if (isAlive(first)) process.kill(first, 'SIGKILL')
  })
  return [first, second, members[0]?.id ?? 0]
}

async function generationsOnceReplaced(cwd: string, pid: number): Promise<number[]> {
  for (const end = Date.now() + 20_000; ; await delay(50)) {
    const members = await membersOf(cwd)
    if (members.length === 2 && !members.some((one) => one.pid === pid))
      return members.map(({ generation }) => generation)
    assert.ok(Date.now() < end, `not replaced within 20 s: ${JSON.stringify(members)}`)
  }
}

/** Waits until the process has ended: the kernel ends a killed process only when it next runs. */
async function ended(pid: number): Promise<void> {
  for (const end = Date.now() + 5_000; isAlive(pid); await delay(10)) {
    assert.ok(Date.now() < end, `process ${pid} still runs 5 s after it should have been killed`)
  }
}

/** A process that has ended may wait as a zombie for its new parent. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
