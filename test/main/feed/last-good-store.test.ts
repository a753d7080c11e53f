import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'

import type { LastGoodStore } from '../../../src/main/feed/last-good-store.js'
import { ProblemError } from '../../../src/workers/base/problem.js'
import {
  keyBytes,
  lastGoodSite,
  numberedDelivery,
  numberedKey,
  writeHeld,
  writeKey,
} from '../../../support/feed/last-good-site.js'

for (const encrypted of [false, true]) {
  const how = encrypted ? 'with a key file' : 'without a key file'

  test(`the next process finds what was written, ${how}, in files for this user alone`, async (t) => {
    const site = lastGoodSite(t, encrypted)
    assert.equal(await site.store().read(), null)
    await writeHeld(site.store(), numberedDelivery(1))
    assert.equal(await versionIn(site.store()), 'v1')
    const store = site.store()
    for (const number of [2, 3]) await writeHeld(store, numberedDelivery(number))
    assert.equal(await versionIn(site.store()), 'v3')
    assert.deepEqual(readdirSync(site.place.dir).sort(), ['last-good', 'last-good.seq'])
    for (const name of ['last-good', 'last-good.seq'])
      assert.equal(statSync(site.path(name)).mode & 0o777, 0o600)
    assert.equal(statSync(site.place.dir).mode & 0o777, 0o700)
    const content = readFileSync(site.path('last-good'))
    assert.equal(content.includes('key 3'), !encrypted)
  })

  test(`an older file that is put back is refused, ${how}`, async (t) => {
    const site = lastGoodSite(t, encrypted)
    const store = site.store()
    await writeHeld(store, numberedDelivery(1))
    copyFileSync(site.path('last-good'), site.path('older'))
    await writeHeld(store, numberedDelivery(2))
    copyFileSync(site.path('last-good'), site.path('newest'))
    renameSync(site.path('older'), site.path('last-good'))
    assert.equal(await refusal(site.store()), 'LAST_GOOD_REPLAYED')
    renameSync(site.path('newest'), site.path('last-good'))
    assert.equal(await versionIn(site.store()), 'v2')
  })

  test(`a file without its marker is refused, and the next write repairs it, ${how}`, async (t) => {
    const site = lastGoodSite(t, encrypted)
    await writeHeld(site.store(), numberedDelivery(1))
    rmSync(site.path('last-good.seq'))
    assert.equal(await refusal(site.store()), 'LAST_GOOD_REPLAYED')
    await writeHeld(site.store(), numberedDelivery(2))
    assert.equal(await versionIn(site.store()), 'v2')
  })

  test(`a crash between the two files refuses nothing, and later numbers are not used twice, ${how}`, async (t) => {
    const site = lastGoodSite(t, encrypted)
    await writeHeld(site.store(), numberedDelivery(1))
    copyFileSync(site.path('last-good.seq'), site.path('marker'))
    await writeHeld(site.store(), numberedDelivery(2))
    copyFileSync(site.path('last-good'), site.path('second'))
    renameSync(site.path('marker'), site.path('last-good.seq'))
    assert.equal(await versionIn(site.store()), 'v2')
    await writeHeld(site.store(), numberedDelivery(3))
    assert.equal(await versionIn(site.store()), 'v3')
    renameSync(site.path('second'), site.path('last-good'))
    assert.equal(await refusal(site.store()), 'LAST_GOOD_REPLAYED')
  })

  test(`a crash before the first file leaves a directory in which nothing is kept, ${how}`, async (t) => {
    const site = lastGoodSite(t, encrypted)
    await writeHeld(site.store(), numberedDelivery(1))
    rmSync(site.path('last-good'))
    assert.equal(await site.store().read(), null)
    await writeHeld(site.store(), numberedDelivery(2))
    assert.equal(await versionIn(site.store()), 'v2')
  })

  test(`a damaged marker refuses the file until the next write, ${how}`, async (t) => {
    const site = lastGoodSite(t, encrypted)
    await writeHeld(site.store(), numberedDelivery(1))
    const marker = readFileSync(site.path('last-good.seq'))
    writeFileSync(site.path('last-good.seq'), marker.subarray(0, 60))
    assert.equal(await refusal(site.store()), 'LAST_GOOD_TRUNCATED')
    marker.writeUInt8(marker.readUInt8(60) ^ 1, 60)
    writeFileSync(site.path('last-good.seq'), marker)
    assert.equal(await refusal(site.store()), 'LAST_GOOD_TORN')
    await writeHeld(site.store(), numberedDelivery(2))
    assert.equal(await versionIn(site.store()), 'v2')
  })

  test(`the file of another directory, source or identity is refused, and replaced by the next write, ${how}`, async (t) => {
    const site = lastGoodSite(t, encrypted)
    const other = lastGoodSite(t, false)
    await writeHeld(site.store(), numberedDelivery(1))
    await writeHeld(other.store({ keyFile: site.place.keyFile }), numberedDelivery(1))
    copyFileSync(other.path('last-good'), site.path('last-good'))
    assert.equal(await refusal(site.store()), 'LAST_GOOD_FOREIGN')
    await writeHeld(site.store(), numberedDelivery(2))
    for (const changes of [{ source: 'redis' }, { identity: 'api' }]) {
      assert.equal(await refusal(site.store(changes)), 'LAST_GOOD_FOREIGN')
    }
    await writeHeld(site.store({ source: 'redis' }), numberedDelivery(3))
    assert.equal(await versionIn(site.store({ source: 'redis' })), 'v3')
  })

  test(`a pipe, a directory or a link is no kept file, ${how}`, async (t) => {
    const site = lastGoodSite(t, encrypted)
    await writeHeld(site.store(), numberedDelivery(1))
    renameSync(site.path('last-good'), site.path('target'))
    symlinkSync('target', site.path('last-good'))
    assert.equal(await refusal(site.store()), 'LAST_GOOD_UNREADABLE')
    await writeHeld(site.store(), numberedDelivery(2))
    assert.equal(await versionIn(site.store()), 'v2')
    rmSync(site.path('last-good'))
    mkdirSync(site.path('last-good'))
    assert.equal(await refusal(site.store()), 'LAST_GOOD_UNREADABLE')
  })
}

test('two processes that write in turn, as in a rolling restart, leave the newest file', async (t) => {
  const site = lastGoodSite(t, false)
  const [old, successor] = [site.store(), site.store()]
  for (const [number, store] of [old, successor, old, successor, successor, old].entries()) {
    await writeHeld(store, numberedDelivery(number))
    assert.equal(await versionIn(site.store()), `v${number}`)
  }
})

test('another key, or the end of encryption, makes a file foreign', async (t) => {
  const site = lastGoodSite(t, true)
  await writeHeld(site.store(), numberedDelivery(1))
  writeKey(site.path('key'))
  assert.equal(await refusal(site.store()), 'LAST_GOOD_FOREIGN')
  assert.equal(await refusal(site.store({ keyFile: null })), 'LAST_GOOD_FOREIGN')
  await writeHeld(site.store(), numberedDelivery(2))
  assert.equal(await versionIn(site.store()), 'v2')
})

test('what an attacker wrote without the key is foreign, because it is not encrypted', async (t) => {
  const site = lastGoodSite(t, true)
  await writeHeld(site.store({ keyFile: null }), numberedDelivery(1))
  assert.equal(await refusal(site.store()), 'LAST_GOOD_FOREIGN')
})

const needsUsers = process.geteuid ? false : 'needs users'

test('without a key, a file that other users can access is refused', { skip: needsUsers }, async (t) => {
  const site = lastGoodSite(t, false)
  await writeHeld(site.store(), numberedDelivery(1))
  for (const mode of [0o644, 0o640, 0o602]) {
    chmodSync(site.path('last-good'), mode)
    assert.equal(await refusal(site.store()), 'LAST_GOOD_OPEN', mode.toString(8))
  }
})

test('with a key, other users may read the file', { skip: needsUsers }, async (t) => {
  const site = lastGoodSite(t, true)
  await writeHeld(site.store(), numberedDelivery(1))
  chmodSync(site.path('last-good'), 0o644)
  assert.equal(await versionIn(site.store()), 'v1')
})

test('without a key, nothing is read or written where other users can replace files', {
  skip: needsUsers,
}, async (t) => {
  const site = lastGoodSite(t, false)
  await writeHeld(site.store(), numberedDelivery(1))
  for (const [dir, mode] of [
    [site.place.dir, 0o770],
    [dirname(site.place.dir), 0o777],
  ] as const) {
    chmodSync(dir, mode)
    assert.equal(await refusal(site.store()), 'LAST_GOOD_OPEN')
    assert.equal(await codeOf(writeHeld(site.store(), numberedDelivery(2))), 'LAST_GOOD_OPEN')
    chmodSync(dir, 0o700)
  }
  assert.equal(await versionIn(site.store()), 'v1')
})

const needsRoot = process.geteuid?.() === 0 ? false : 'needs root'

test('a file of another user is refused', { skip: needsRoot }, async (t) => {
  for (const encrypted of [false, true]) {
    const site = lastGoodSite(t, encrypted)
    await writeHeld(site.store(), numberedDelivery(1))
    chownSync(site.path('last-good'), 65_534, 65_534)
    assert.equal(await refusal(site.store()), 'LAST_GOOD_OPEN')
  }
})

test('a file above the limit is refused before it is read', async (t) => {
  const site = lastGoodSite(t, false)
  await writeHeld(site.store(), numberedDelivery(1))
  truncateSync(site.path('last-good'), 64 * 1024 * 1024 + 1)
  assert.equal(await refusal(site.store()), 'LAST_GOOD_UNREADABLE')
})

test('what a killed process left behind is removed, but not what another one is writing', async (t) => {
  const site = lastGoodSite(t, false)
  await writeHeld(site.store(), numberedDelivery(1))
  const names = ['last-good', 'last-good.seq'].map((name) => `${name}.${randomBytes(8).toString('hex')}.tmp`)
  for (const name of [...names, 'notes.tmp']) {
    writeFileSync(site.path(name), '')
    utimesSync(site.path(name), 0, 0)
  }
  const fresh = `last-good.${randomBytes(8).toString('hex')}.tmp`
  writeFileSync(site.path(fresh), '')
  await writeHeld(site.store(), numberedDelivery(2))
  assert.deepEqual(
    readdirSync(site.place.dir).sort(),
    ['last-good', fresh, 'last-good.seq', 'notes.tmp'].sort(),
  )
})

test('the bytes of a kept delivery can be overwritten', async (t) => {
  const site = lastGoodSite(t, true)
  await writeHeld(site.store(), numberedDelivery(1))
  const kept = await site.store().read()
  assert.ok(kept)
  kept.wipe()
  assert.ok(keyBytes(kept.delivery).every((byte) => byte === 0))
})

/** The version of what is kept, which must be complete. */
async function versionIn(store: LastGoodStore): Promise<string> {
  const kept = await store.read()
  assert.ok(kept)
  const { version, revision } = kept.delivery
  assert.equal(version, `v${revision}`)
  assert.deepEqual(Buffer.from(keyBytes(kept.delivery)), numberedKey(Number(revision)))
  return version
}

function refusal(store: LastGoodStore): Promise<string> {
  return codeOf(store.read())
}

async function codeOf(act: Promise<unknown>): Promise<string> {
  const error: unknown = await act.then(
    () => 'nothing was refused',
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof ProblemError, String(error))
  return error.problem.code
}
