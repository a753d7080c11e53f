/*
 * A mount that does not answer for long, or several of them: threads do not accumulate, and timer checks detect the hang and
 * its end.
 */

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { nextEvent, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import {
  assertDocumented,
  hangingMount,
  moved,
  withoutHangingMounts,
} from '../../../support/files/hanging-mount.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { watchThreads } from '../../../support/worker/thread-watch.js'

const skip = withoutHangingMounts()
const authority = createAuthority()
const WORKER = { timeoutMs: 1500 }

test('an engine detects a hang by itself, logs it once, and logs its end; a later hang counts again', {
  skip,
}, async (t) => {
  const threads = watchThreads(t)
  const mount = await hangingMount(t)
  const logger = recordingLogger()
  const pair = moved(writePair(mount.source, authority.issue()), mount)
  const engine = await startEngine(t, { worker: WORKER, ...pair, autoReloadInterval: 0.05, logger })
  await eventually('a timer check runs', () => engine.status().passes.unchanged > 3)
  for (let i = 0; i < 2; i++) {
    const [rejected, recovered] = [nextEvent(engine, 'rejected'), nextEvent(engine, 'recovered')]
    mount.hang()
    assert.equal((await rejected).problems[0]?.code, 'WORKER_TIMEOUT')
    const { consecutiveFailures } = engine.status()
    await eventually(
      'it was tried again',
      () => engine.status().consecutiveFailures > consecutiveFailures + 3,
    )
    // The thread of the checks, and the one that prepares.
    assert.ok(threads.alive <= 2, `${threads.alive} threads`)
    mount.answer()
    await recovered
    assert.equal(engine.status().state, 'serving')
  }
  const logged = logger
    .takeLines()
    .filter((line) => /^warn certificates not reloaded|can be loaded again$/.test(line))
  const failed = 'warn certificates not reloaded; the old ones stay in service'
  const over = 'info certificates can be loaded again'
  assert.deepEqual(logged, [failed, over, failed, over])
})

test('when two mounts hang, no third thread is put at risk, and hosts on local disks are renewed', {
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
  const engine = await startEngine(t, { worker: WORKER, ...writePair(dir, authority.issue()), hosts })
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
    const [a, b, tls] = mounts.map(({ path }) => path) as [string, string, string]
    assertDocumented(third ? [third] : [], { [a]: '/mnt/a', [b]: '/mnt/b', [tls]: '/mnt/tls' })
    assert.ok(threads.alive <= 3, `${threads.alive} threads`)
  }
  for (const mount of mounts) mount.answer()
  await eventually('the threads that hung have ended', () => threads.alive <= 1)
  assert.equal((await engine.reload()).outcome, 'unchanged')
})
