/*
 * A mount that does not answer (NFS or sshfs without its server) costs one thread, whatever reads from it. Its files are
 * refused by name, everything else is renewed, and all is well again when it answers.
 */

import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine, ReloadEngineOptions, ReloadResult } from '../../src/main/index.js'
import { createAuthority } from '../support/certificates.js'
import { assertApplied, nextEvent, startEngine } from '../support/engines.js'
import { eventually } from '../support/eventually.js'
import { renameInto, writePair } from '../support/files.js'
import { hangingMount, withoutHangingMounts } from '../support/hanging-mount.js'
import { recordingLogger } from '../support/recording-logger.js'
import { tempDir } from '../support/temp-dir.js'
import { watchThreads } from '../support/thread-watch.js'

const skip = withoutHangingMounts()
const authority = createAuthority()
const WORKER = { timeoutMs: 700 }

test('a mount that hangs costs one thread, whichever files and engines are on it, and other engines are renewed', {
  skip,
}, async (t) => {
  const threads = watchThreads(t)
  const mount = await hangingMount(t)
  const dir = tempDir(t)
  const { cert, key } = moved(writePair(mount.source, authority.issue()), mount)
  renameInto(join(mount.source, 'ca.pem'), authority.certPem)
  symlinkSync(key, join(dir, 'linked.key'))
  const one = await engineOf(t, { cert, key, ca: join(mount.path, 'ca.pem') })
  const two = await engineOf(t, { cert, key: join(dir, 'linked.key') })
  const local = writePair(dir, authority.issue())
  const healthy = await engineOf(t, local)
  mount.hang()
  writePair(dir, authority.issue())
  const results = await Promise.all([one.reload(), two.reload(), healthy.reload()])
  assertApplied(results[2])
  for (let i = 0; i < 5; i++) {
    await Promise.all([one.reload(), two.reload()])
    writePair(dir, authority.issue())
    assertApplied(await healthy.reload())
  }
  // Both engines read from the mount at the same moment; no later read has cost a thread.
  assert.ok(threads.alive <= 3, `${threads.alive} threads`)
  mount.answer()
  await eventually('the threads that hung have ended', () => threads.alive <= 1)
  assert.deepEqual(outcomes(await Promise.all([one.reload(), two.reload()])), ['unchanged', 'unchanged'])
})

test('the refusal names the file, where a link leads, the mount, how long it has not answered, and what to do', {
  skip,
}, async (t) => {
  const mount = await hangingMount(t)
  const dir = tempDir(t)
  const pair = writePair(dir, authority.issue())
  copyFileSync(pair.key, join(mount.source, 'real.key'))
  const key = join(dir, 'linked.key')
  symlinkSync(join(mount.path, 'real.key'), key)
  const engine = await engineOf(t, { cert: pair.cert, key })
  mount.hang()
  const { problems } = await engine.reload()
  assert.deepEqual(
    problems.map(({ code, path }) => [code, path]),
    [['WORKER_TIMEOUT', key]],
  )
  const { path } = mount
  const expected = `${key} leads to ${path}/real.key, which does not answer: a system call on ${path}/real.key has not returned for N s; restore the mount ${path} (fuse), or end the call with: umount -f ${path}`
  assert.equal(problems[0]?.message.replace(/\d+ s;/, 'N s;'), expected)
})

test('an engine finds a hang by itself, says so once, and says when it is over; a later hang counts again', {
  skip,
}, async (t) => {
  const threads = watchThreads(t)
  const mount = await hangingMount(t)
  const logger = recordingLogger()
  const pair = moved(writePair(mount.source, authority.issue()), mount)
  const engine = await engineOf(t, { ...pair, autoReloadInterval: 0.05, logger })
  await eventually('a thread looks by itself', () => engine.status().passes.unchanged > 3)
  for (let i = 0; i < 2; i++) {
    const [rejected, recovered] = [nextEvent(engine, 'rejected'), nextEvent(engine, 'recovered')]
    mount.hang()
    assert.equal((await rejected).problems[0]?.code, 'WORKER_TIMEOUT')
    const { consecutiveFailures } = engine.status()
    await eventually(
      'it was tried again',
      () => engine.status().consecutiveFailures > consecutiveFailures + 3,
    )
    // The one that looked, and the one that prepares.
    assert.ok(threads.alive <= 2, `${threads.alive} threads`)
    mount.answer()
    await recovered
    assert.equal(engine.status().state, 'serving')
  }
  const said = logger.said().filter((line) => /^warn certificates not reloaded| recovered$/.test(line))
  const failed = 'warn certificates not reloaded; the old ones serve on'
  const over = 'info certificate files recovered'
  assert.deepEqual(said, [failed, over, failed, over])
})

test('of the hosts in a directory, those on a mount that hangs keep their certificates and all others are renewed', {
  skip,
}, async (t) => {
  const threads = watchThreads(t)
  const mount = await hangingMount(t)
  const dir = tempDir(t)
  const hosts = join(dir, 'hosts')
  const put = (parent: string, name: string) => {
    mkdirSync(join(parent, name), { recursive: true })
    writePair(join(parent, name), authority.issue({ names: [name] }))
  }
  put(hosts, 'local.test')
  put(mount.source, 'remote.test')
  symlinkSync(join(mount.path, 'remote.test'), join(hosts, 'remote.test'))
  const pair = writePair(dir, authority.issue())
  for (const pattern of [join(hosts, '*'), join(dir, '{hosts,none}', '*.test')]) {
    const engine = await engineOf(t, { ...pair, hosts: pattern })
    mount.hang()
    put(hosts, 'local.test')
    const result = await engine.reload()
    assertApplied(result)
    assert.deepEqual(result.hosts, { served: 2, changed: 1, removed: 0 })
    assert.deepEqual(
      result.problems.map(({ code }) => code),
      ['WORKER_TIMEOUT'],
    )
    assert.match(result.problems[0]?.message ?? '', /hosts\/remote\.test/)
    mount.answer()
    await eventually('the thread that hung has ended', () => threads.alive <= 1)
    await engine.close()
  }
})

test('when two mounts hang, no thread is risked for a third, and hosts on local disks are renewed', {
  skip,
}, async (t) => {
  const threads = watchThreads(t)
  const mounts = [await hangingMount(t), await hangingMount(t), await hangingMount(t)]
  const dir = tempDir(t)
  const remote = mounts.map((mount, i) => {
    const names = [`remote${i}.test`]
    return [names[0], moved(writePair(mount.source, authority.issue({ names })), mount)] as const
  })
  mkdirSync(join(dir, 'local'))
  const local = () => writePair(join(dir, 'local'), authority.issue({ names: ['local.test'] }))
  const hosts = Object.fromEntries([...remote, ['local.test', local()]])
  const engine = await engineOf(t, { ...writePair(dir, authority.issue()), hosts })
  for (const mount of mounts) mount.hang()
  for (let i = 0; i < 4; i++) {
    local()
    const { hosts: counts, problems } = await engine.reload()
    assert.equal(counts?.changed, 1)
    assert.deepEqual(problems.map(({ code }) => code).sort(), [
      'WORKER_TIMEOUT',
      'WORKER_TIMEOUT',
      'WORKER_UNAVAILABLE',
    ])
    const third = problems.find(({ code }) => code === 'WORKER_UNAVAILABLE')
    assert.match(
      third?.message ?? '',
      /is not read while 2 worker threads hang, at .* \(for \d+ s\), .*; restore the mounts /,
    )
    assert.ok(threads.alive <= 3, `${threads.alive} threads`)
  }
  for (const mount of mounts) mount.answer()
  await eventually('the threads that hung have ended', () => threads.alive <= 1)
  assert.deepEqual(outcomes([await engine.reload()]), ['unchanged'])
})

test('an engine whose files are on a mount that hangs is refused at the start, with the file, and leaves nothing behind', {
  skip,
}, async (t) => {
  const threads = watchThreads(t)
  const mount = await hangingMount(t)
  const pair = moved(writePair(mount.source, authority.issue()), mount)
  mount.hang()
  await assert.rejects(engineOf(t, pair), { code: 'WORKER_TIMEOUT', path: pair.cert })
  mount.answer()
  await eventually('no thread is left', () => threads.alive === 0)
  await engineOf(t, pair)
})

test('close() resolves while a thread hangs', { skip }, async (t) => {
  const mount = await hangingMount(t)
  const engine = await engineOf(t, moved(writePair(mount.source, authority.issue()), mount))
  mount.hang()
  const reload = engine.reload().catch((error: unknown) => error)
  await engine.close()
  assert.equal(Object(await reload).code, 'CLOSED')
})

/** The same files as the mount shows them. */
function moved(
  { cert, key }: { cert: string; key: string },
  { path, source }: { path: string; source: string },
): { cert: string; key: string } {
  return { cert: cert.replace(source, path), key: key.replace(source, path) }
}

function outcomes(results: readonly ReloadResult[]): string[] {
  return results.map(({ outcome, problems }) => problems[0]?.message ?? outcome)
}

async function engineOf(t: TestContext, options: ReloadEngineOptions): Promise<ReloadEngine> {
  return await startEngine(t, { worker: WORKER, ...options })
}
