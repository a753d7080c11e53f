/*
 * A mount that does not answer (NFS or sshfs without its server) costs one thread, whatever reads from it. Its files are
 * refused and named, everything else is renewed, and the files are loaded again when it answers.
 */

import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine, ReloadEngineOptions, ReloadResult } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { documentedMessages } from '../../../support/docs/documented-errors.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import {
  assertDocumented,
  hangingMount,
  moved,
  overlayOf,
  withoutHangingMounts,
  withoutOverlays,
} from '../../../support/files/hanging-mount.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { watchThreads } from '../../../support/worker/thread-watch.js'

const skip = withoutHangingMounts()
const authority = createAuthority()
const WORKER = { timeoutMs: 1500 }

test('a mount that hangs costs one thread, for any number of files and engines on it, and other engines are renewed', {
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

test('a mount of a type that rarely hangs, such as an overlay, costs two threads, and other engines are renewed', {
  skip: withoutOverlays(),
}, async (t) => {
  const threads = watchThreads(t)
  const mount = await hangingMount(t)
  const dir = tempDir(t)
  writePair(mount.source, authority.issue())
  const at = overlayOf(t, mount)
  symlinkSync(join(at, 'tls.crt'), join(dir, 'linked.crt'))
  const remote = await engineOf(t, { cert: join(dir, 'linked.crt'), key: join(at, 'tls.key') })
  const healthy = await engineOf(t, writePair(dir, authority.issue()))
  mount.hang()
  for (let i = 0; i < 3; i++) {
    const { problems } = await remote.reload()
    assert.deepEqual([...new Set(problems.map(({ code }) => code))], ['WORKER_TIMEOUT'])
    writePair(dir, authority.issue())
    assertApplied(await healthy.reload())
  }
  const { problems } = await remote.reload()
  for (const { message } of problems)
    assert.match(message, new RegExp(`restore the mount ${at} \\(overlay\\)`))
  assert.ok(threads.alive <= 3, `${threads.alive} threads`)
  mount.answer()
  await eventually('the threads that hung have ended', () => threads.alive <= 1)
  assert.equal((await remote.reload()).outcome, 'unchanged')
})

test('the refusal names the file, the target of its link, the mount, how long it has not answered, and the action', {
  skip,
}, async (t) => {
  const mount = await hangingMount(t)
  const dir = tempDir(t)
  const key = join(dir, 'tls.key')
  const { cert, key: real } = moved(writePair(mount.source, authority.issue()), mount)
  symlinkSync(real, key)
  const engine = await engineOf(t, { cert, key })
  mount.hang()
  const { problems } = await engine.reload()
  assert.deepEqual(
    problems.map(({ code, path }) => [code, path]),
    [
      ['WORKER_TIMEOUT', cert],
      ['WORKER_TIMEOUT', key],
    ],
  )
  const { problems: same } = await engine.update({ cert, key: real })
  assertDocumented([...problems, ...same], { [mount.path]: '/mnt/tls', [dir]: '/etc/tls' })
})

test('hosts in a directory whose files are on a mount that hangs keep their certificates, and all others are renewed', {
  skip,
}, async (t) => {
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
  const engines: ReloadEngine[] = []
  for (const pattern of [join(hosts, '*'), join(dir, '{hosts,none}', '*.test')]) {
    engines.push(await engineOf(t, { ...pair, hosts: pattern }))
  }
  mount.hang()
  put(hosts, 'local.test')
  for (const engine of engines) {
    const result = await engine.reload()
    assertApplied(result)
    assert.deepEqual(result.hosts, { served: 2, changed: 1, removed: 0 })
    assert.deepEqual(
      result.problems.map(({ code }) => code),
      ['WORKER_TIMEOUT'],
    )
    assert.match(result.problems[0]?.message ?? '', /hosts\/remote\.test/)
  }
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

test('a mount whose server has ended is reported as such', { skip }, async (t) => {
  const mount = await hangingMount(t)
  const pair = moved(writePair(mount.source, authority.issue()), mount)
  const engine = await engineOf(t, pair)
  await mount.end()
  const { problems } = await engine.reload()
  assertDocumented(problems.slice(0, 1), { [mount.path]: '/mnt/tls' })
})

test('docs/errors.md shows every message about a mount, and no other', { skip }, () => {
  const shown = documentedMessages().filter(({ message }) => message.includes('/mnt/'))
  assert.equal(shown.length, 5)
})

function outcomes(results: readonly ReloadResult[]): string[] {
  return results.map(({ outcome, problems }) => problems[0]?.message ?? outcome)
}

async function engineOf(t: TestContext, options: ReloadEngineOptions): Promise<ReloadEngine> {
  return await startEngine(t, { worker: WORKER, ...options })
}
