/* A real process or thread of a fleet that is suspended (SIGSTOP), or whose event loop is blocked, and resumes. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Worker } from 'node:worker_threads'

import { shareEngine } from '../../../src/main/fleet/index.js'
import type { EngineStatus, ReloadResult } from '../../../src/main/index.js'
import { assertRefused } from '../../../support/clients/refusal.js'
import { assertApplied, servedBy, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type ClusterOptions, type ClusterSite, clusterSite } from '../../../support/fleet/cluster-site.js'
import { joinOnThread } from '../../../support/fleet/fleet-member.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { suspend } from '../../../support/processes/suspend.js'

const authority = createAuthority()
const TIMEOUT_MS = 1_000

test('a suspended worker delays a renewal, prevents none, and serves the current certificate once it runs again', async (t) => {
  const { site, rotate } = await fleet(t, { patience: 2 })
  const [pid = 0, other = 0] = site.pids
  stop(t, pid)
  rotate()
  assert.deepEqual(codes(await site.reload()), ['MEMBER_TIMEOUT'])
  const { outcome, members, warnings } = await site.reload()
  assert.deepEqual(
    [outcome, members.map((one) => [one.pid, one.outcome]).sort()],
    [
      'applied',
      [
        [pid, 'evicted'],
        [other, 'applied'],
      ].sort(),
    ],
  )
  assert.ok(warnings.some(({ code, message }) => code === 'MEMBER_EVICTED' && message.includes(`pid ${pid}`)))
  const evicted = memberOf(await site.status(), pid)
  assert.deepEqual([evicted?.generation, evicted?.missed], [1, 2])
  assert.match(evicted?.evicted?.since ?? '', /^\d{4}-/)
  const last = rotate()
  assertApplied(await site.reload())
  process.kill(pid, 'SIGCONT')
  await joinedAgain(site, pid)
  for (let i = 0; i < 6; i++) assert.equal(await servedBy(site.port), last.fingerprint256)
  rotate()
  assert.equal((await site.reload()).members.length, 2)
})

test('a removed CA does not wait for a suspended worker, which is ended, and no client of that CA is admitted', async (t) => {
  const [kept, removed] = [createAuthority(), createAuthority()]
  const ca = join(tempDir(t), 'ca.pem')
  overwriteInPlace(ca, kept.certPem + removed.certPem)
  const { site } = await fleet(t, { killsEvicted: true, engine: { ca, requestCert: true } })
  const [pid = 0] = site.pids
  stop(t, pid)
  overwriteInPlace(ca, kept.certPem)
  const result = await site.reload()
  assertApplied(result)
  assert.deepEqual(codes(result), [])
  assert.equal(memberOf(await site.status(), pid), undefined)
  const { certPem: cert, keyPem: key } = removed.issue({ extendedKeyUsage: 'client' })
  for (let i = 0; i < 4; i++) await assertRefused({ port: site.port, cert, key, confirm: true })
})

test('a thread whose event loop is blocked is evicted, and joins again when it runs', async (t) => {
  const { engine, shared, rotate } = await threads(t)
  const [stuck, other] = [await joinOnThread(t, shared), await joinOnThread(t, shared)]
  const blocked = stuck.next()
  stuck.worker.postMessage({ block: 4 * TIMEOUT_MS })
  await blocked
  const leaf = rotate()
  const result = await engine.reload()
  assertApplied(result)
  const { evicted, threadId } = engine.status().members[0] ?? {}
  assert.equal(threadId, stuck.worker.threadId)
  assert.match(evicted?.message ?? '', new RegExp(`thread ${threadId}\\).*end that thread$`))
  assert.equal(await servedBy(other.port), leaf.fingerprint256)
  while (engine.status().members[0]?.evicted) await turn()
  assert.equal(await servedBy(stuck.port), leaf.fingerprint256)
})

test('the application can end a thread that is blocked for ever', async (t) => {
  const ended: Worker[] = []
  const { engine, shared, rotate } = await threads(t, (peer) => {
    ended.push(peer)
    return peer.terminate()
  })
  const stuck = await joinOnThread(t, shared)
  const blocked = stuck.next()
  stuck.worker.postMessage({ block: Number.POSITIVE_INFINITY })
  await blocked
  const exit = once(stuck.worker, 'exit')
  rotate()
  assertApplied(await engine.reload())
  await exit
  assert.deepEqual([ended, engine.status().members], [[stuck.worker], []])
})

async function fleet(t: TestContext, options: Partial<Omit<ClusterOptions, 'engine'>> & { engine?: object }) {
  const dir = tempDir(t)
  const pair = writePair(dir, authority.issue())
  const site = await clusterSite(t, {
    ...{ workers: 2, serialization: 'advanced', timeoutMs: TIMEOUT_MS, ...options },
    engine: { ...pair, verifyServed: false, ...options.engine },
  })
  const rotate = () => {
    const leaf = authority.issue()
    writePair(dir, leaf)
    return leaf
  }
  return { site, rotate }
}

async function threads(t: TestContext, end?: (peer: Worker) => unknown) {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, authority.issue()))
  const shared = shareEngine(engine, {
    ...{ timeoutMs: TIMEOUT_MS, patience: 1 },
    ...(end ? { onEvicted: (_, peer) => end(peer as Worker) } : {}),
  })
  t.after(() => shared.close())
  const rotate = () => {
    const leaf = authority.issue()
    writePair(dir, leaf)
    return leaf
  }
  return { engine, shared, rotate }
}

function stop(t: TestContext, pid: number): void {
  suspend(pid)
  t.after(() => {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It was ended before.
    }
  })
}

async function joinedAgain(site: ClusterSite, pid: number): Promise<void> {
  for (const end = Date.now() + 20_000; memberOf(await site.status(), pid)?.evicted; await turn())
    assert.ok(Date.now() < end, 'it has not joined again within 20 s')
}

function memberOf({ members }: EngineStatus, pid: number): EngineStatus['members'][number] | undefined {
  return members.find((member) => member.pid === pid)
}

function codes({ problems }: ReloadResult): string[] {
  return problems.map(({ code }) => code)
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}
