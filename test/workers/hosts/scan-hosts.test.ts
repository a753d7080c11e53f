import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { fromSharedJson } from '../../../src/workers/base/shared-json.js'
import { hostEntries } from '../../../src/workers/hosts/record.js'
import { scanHosts } from '../../../src/workers/hosts/scan-hosts.js'
import { MAX_PROBLEMS } from '../../../src/workers/problems/problem-limit.js'
import type { HostSource, ScanHostsReply, ScanHostsTask } from '../../../src/workers/protocol/hosts.js'
import { putHost } from '../../../support/engine/host-site.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { hostTask, preparedHosts } from '../../../support/worker/tasks-here.js'

const authority = createAuthority()

test('unchanged hosts are not listed, nor is a file that was only touched once it has been checked', async (t) => {
  const { dir, scan } = await scanned(t, ['a.test', 'b.test'])
  assert.deepEqual(await scan(), { kind: 'unchanged' })
  const past = new Date(Date.now() - 86_400_000)
  utimesSync(join(dir, 'hosts', 'a.test', 'tls.crt'), past, past)
  assert.deepEqual(await scan(), { kind: 'unchanged' })
})

test('a new host, a renewed one and one with another key are each detected, and no other', async (t) => {
  const { dir, scan } = await scanned(t, ['a.test', 'b.test', 'c.test'])
  putHost(dir, authority, 'd.test')
  putHost(dir, authority, 'a.test')
  const key = join(dir, 'hosts', 'b.test', 'tls.key')
  writeFileSync(key, authority.issue().keyPem)
  assert.deepEqual(found(await scan(), dir), ['a.test', 'b.test', 'd.test'])
  assert.deepEqual(found(await scan({ fresh: true }), dir).length, 4)
})

test('a replaced certificate of the same size with the same times is detected', async (t) => {
  const { dir, scan } = await scanned(t, ['a.test'])
  const path = join(dir, 'hosts', 'a.test', 'tls.crt')
  const text = authority.issue({ names: ['a.test'] }).chainPem
  writeFileSync(path, text)
  utimesSync(path, 1, 1)
  assert.deepEqual(found(await scan(), dir), ['a.test'])
})

test('a change that no stamp shows is detected within sixteen minutes, and the full checks of hosts are spread over this time', async (t) => {
  const names = Array.from({ length: 24 }, (_, i) => `h${i}.test`)
  const { dir, record } = await scanned(t, names)
  // As on a file system whose times stand still.
  const entries = [...hostEntries(record)].map(
    ([id, entry]) => [id, { ...entry, settled: true, content: '' }] as const,
  )
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const seen = []
  for (let minute = 0; minute < 16; minute++) {
    const reply = await scanHosts(hostTask(join(dir, 'hosts', '*'), { record }), new Map(entries))
    seen.push(found(reply, dir))
    t.mock.timers.tick(60_000)
  }
  assert.deepEqual(seen.flat().sort(), names.sort())
  assert.ok(
    seen.every(({ length }) => length < names.length / 2),
    JSON.stringify(seen),
  )
})

test('directories that never held a pair, hidden directories and files are not hosts', async (t) => {
  const { dir, scan } = await scanned(t, ['a.test'])
  mkdirSync(join(dir, 'hosts', 'lost+found'))
  mkdirSync(join(dir, 'hosts', '..data'))
  writeFileSync(join(dir, 'hosts', 'README'), 'text')
  assert.deepEqual(await scan(), { kind: 'unchanged' })
})

test('a host is removed only after it was missing twice: a directory that is being replaced stays', async (t) => {
  const { dir, scan } = await scanned(t, ['a.test', 'b.test'])
  const host = join(dir, 'hosts', 'a.test')
  renameSync(host, join(dir, 'aside'))
  const looking = scan()
  // The first scan is over by now: it ran at once.
  renameSync(join(dir, 'aside'), host)
  assert.deepEqual(await looking, { kind: 'unchanged' })
  rmSync(host, { recursive: true })
  const reply = await scan()
  assert.deepEqual(reply.kind === 'changed' && reply.removed, [host])
})

test('a pattern that no longer matches removes nothing and is a problem, until it is forced', async (t) => {
  const { dir, scan } = await scanned(t, ['a.test', 'b.test'])
  renameSync(join(dir, 'hosts'), join(dir, 'away'))
  const reply = await scan()
  assert.ok(reply.kind === 'changed')
  assert.deepEqual([reply.removed, reply.problems.map(({ code }) => code)], [[], ['FILE_NOT_FOUND']])
  const forced = await scan({ force: true })
  assert.ok(forced.kind === 'changed')
  assert.deepEqual([forced.removed.length, forced.problems], [2, []])
})

test('the last host of a pattern may be removed', async (t) => {
  const { dir, scan } = await scanned(t, ['a.test'])
  rmSync(join(dir, 'hosts', 'a.test'), { recursive: true })
  const reply = await scan()
  assert.deepEqual(reply.kind === 'changed' && [reply.removed.length, reply.problems], [1, []])
})

test('rolled-back material is ignored, host by host', async (t) => {
  const { dir, scan } = await scanned(t, ['a.test', 'b.test', 'gone.test'])
  putHost(dir, authority, 'a.test')
  rmSync(join(dir, 'hosts', 'gone.test'), { recursive: true })
  const rolledBack = (await preparedHosts(hostTask(join(dir, 'hosts', '*')))).record
  assert.deepEqual(await scan({ rolledBack }), { kind: 'rolled-back' })
  putHost(dir, authority, 'b.test')
  const reply = await scan({ rolledBack })
  assert.deepEqual(found(reply, dir), ['b.test'])
  assert.deepEqual(reply.kind === 'changed' && [reply.removed, reply.isRolledBack], [[], true])
})

test('a host behind a link is followed to the current target of the link', async (t) => {
  const dir = tempDir(t)
  putHost(dir, authority, 'old')
  putHost(dir, authority, 'new')
  mkdirSync(join(dir, 'live'))
  symlinkSync(join(dir, 'hosts', 'old'), join(dir, 'live', 'a.test'))
  const task = hostTask(join(dir, 'live', '*'))
  const { record } = await preparedHosts(task)
  assert.deepEqual(await scanHosts({ ...task, record }), { kind: 'unchanged' })
  rmSync(join(dir, 'live', 'a.test'))
  symlinkSync(join(dir, 'hosts', 'new'), join(dir, 'live', 'a.test'))
  const reply = await scanHosts({ ...task, record })
  assert.equal(reply.kind === 'changed' && reply.batches.length, 1)
})

test('each load reports a pattern that matches nothing, and finds no change', async (t) => {
  const task = hostTask(join(tempDir(t), 'nowhere', '*'))
  const { record } = await preparedHosts(task)
  for (const given of [task, { ...task, record }]) {
    const { strays = [] } = await scanHosts(given)
    assert.deepEqual(
      strays.map(({ code }) => code),
      ['FILE_NOT_FOUND'],
    )
  }
  assert.equal((await scanHosts({ ...task, record })).kind, 'unchanged')
})

test('hosts are unchanged beside more directories without a pair than a result lists', async (t) => {
  const { dir } = await scanned(t, ['a.test'])
  for (let i = 0; i < MAX_PROBLEMS + 2; i++) putHost(dir, authority, `stray-${i}.test`)
  const task = hostTask(join(dir, 'hosts', '*'))
  for (let i = 0; i < MAX_PROBLEMS + 2; i++) rmSync(join(dir, 'hosts', `stray-${i}.test`, 'tls.crt'))
  const { record } = await preparedHosts(task)
  const { kind, strays = [] } = await scanHosts({ ...task, record })
  assert.deepEqual([kind, strays.length], ['unchanged', MAX_PROBLEMS + 2])
})

async function scanned(t: TestContext, hosts: readonly string[]) {
  const dir = tempDir(t)
  for (const host of hosts) putHost(dir, authority, host)
  const task = hostTask(join(dir, 'hosts', '*'))
  const { record } = await preparedHosts(task)
  const scan = (more: Partial<ScanHostsTask> = {}) => scanHosts({ ...task, record, ...more })
  return { dir, record, scan }
}

/** The names of the directories that must be prepared. */
function found(reply: ScanHostsReply, dir: string): string[] {
  if (reply.kind !== 'changed') return []
  const hosts = reply.batches.flatMap((batch) => fromSharedJson<HostSource[]>(batch))
  return hosts.map(({ id }) => id.slice(join(dir, 'hosts/').length)).sort()
}
