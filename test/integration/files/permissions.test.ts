/* An engine that runs as a user without permission to read everything, like servers that have dropped their privileges. */

import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { Problem } from '../../../src/main/index.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { asDocumented, documentedErrors } from '../../../support/docs/documented-errors.js'
import {
  type EngineMessage,
  type ForkedEngine,
  forkEngine,
  restricted,
  withoutRestrictedUser,
} from '../../../support/engine/fork-engine.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'

const authority = createAuthority()
const skip = withoutRestrictedUser()

test('an unreadable key is refused and named, and is loaded automatically once it is readable', {
  skip,
}, async (t) => {
  const { dir, files, engine, port, served } = await serving(t)
  const before = statSync(files.key, { bigint: true }).mtimeNs
  chmodSync(files.key, 0o000)
  const [problem] = (await nextRejection(engine)).problems
  assertUnreadable(problem, files.key)
  const message = asDocumented(problem?.message ?? '', dir)
  assert.equal(withoutUsers(message), withoutUsers(documentedErrors().get('FILE_UNREADABLE')?.example ?? ''))
  assert.match(message, /its mode is 0000/)
  assert.ok(message.includes(`its owner ${restricted.uid}:${restricted.gid}`), message)
  assert.ok(message.includes(`certswap runs as uid ${restricted.uid}, gid ${restricted.gid}`), message)
  assert.equal(await fingerprintAt(port), served.fingerprint256)

  chmodSync(files.key, 0o600)
  const { recovery } = await engine.next('recovered')
  assert.ok(recovery.outageMs >= 0)
  assert.equal(statSync(files.key, { bigint: true }).mtimeNs, before)
  assert.equal(await fingerprintAt(port), served.fingerprint256)
})

test('a renewal whose key is not readable yet is served once it is', { skip }, async (t) => {
  const { files, engine, port, served } = await serving(t)
  const renewed = authority.issue()
  replace(files.key, renewed.keyPem, 0o000)
  replace(files.cert, renewed.chainPem, 0o644)
  assertUnreadable((await nextRejection(engine)).problems[0], files.key)
  assert.equal(await fingerprintAt(port), served.fingerprint256)

  chmodSync(files.key, 0o600)
  await engine.next('settled', ({ result }) => result.outcome === 'applied')
  assert.equal(await fingerprintAt(port), renewed.fingerprint256)
})

test('a parent directory without search permission is reported, and the engine recovers by itself', {
  skip,
}, async (t) => {
  const { live, files, engine, port, served } = await serving(t)
  chmodSync(live, 0o000)
  const { problems } = await nextRejection(engine)
  assert.deepEqual(
    problems.map(({ code, path }) => [code, path]),
    [
      ['FILE_UNREADABLE', files.cert],
      ['FILE_UNREADABLE', files.key],
    ],
  )
  assert.match(problems[0]?.message ?? '', /directory/)
  assert.equal(await fingerprintAt(port), served.fingerprint256)
  chmodSync(live, 0o755)
  await engine.next('recovered')
})

test('a directory of trust anchors that cannot be listed is reported by name, and the engine recovers by itself', {
  skip,
}, async (t) => {
  const { anchors, engine, port, served } = await serving(t)
  chmodSync(anchors, 0o000)
  const { problems } = await nextRejection(engine)
  assertUnreadable(problems[0], anchors)
  assert.equal(await fingerprintAt(port), served.fingerprint256)
  chmodSync(anchors, 0o755)
  await engine.next('recovered')
})

test('an engine that cannot read its key at the start reports it', { skip }, async (t) => {
  const { files, options } = makeFiles(t)
  chmodSync(files.key, 0o000)
  const { problems } = await forkEngine(t, options).next('failed')
  assert.equal(problems.length, 1)
  assertUnreadable(problems[0], files.key)
})

function makeFiles(t: TestContext) {
  const dir = tempDir(t)
  const live = join(dir, 'live')
  const anchors = join(dir, 'anchors')
  for (const path of [live, anchors]) mkdirSync(path, { mode: 0o755 })
  chmodSync(dir, 0o755)
  const served = authority.issue()
  const files = { cert: join(live, 'tls.crt'), key: join(live, 'tls.key') }
  writeFileSync(files.cert, served.chainPem, { mode: 0o644 })
  writeFileSync(files.key, served.keyPem, { mode: 0o600 })
  writeFileSync(join(anchors, 'ca.crt'), authority.certPem, { mode: 0o644 })
  for (const path of [live, anchors, files.cert, files.key]) chownSync(path, restricted.uid, restricted.gid)
  const options = { ...files, caDir: anchors, autoReloadInterval: 0.05 }
  return { dir, live, anchors, files, served, options }
}

/** A file of the restricted user, created with its mode at once. */
function replace(path: string, content: string, mode: number): void {
  const temporary = `${path}.new`
  writeFileSync(temporary, content, { mode })
  chownSync(temporary, restricted.uid, restricted.gid)
  renameSync(temporary, path)
}

async function serving(t: TestContext) {
  const made = makeFiles(t)
  const engine = forkEngine(t, made.options)
  const { port } = await engine.next('serving')
  return { ...made, engine, port }
}

async function nextRejection(
  engine: ForkedEngine,
): Promise<Extract<EngineMessage, { kind: 'settled' }>['result']> {
  return (await engine.next('settled', ({ result }) => result.outcome === 'rejected')).result
}

function assertUnreadable(problem: Problem | undefined, path: string): void {
  assert.deepEqual([problem?.code, problem?.path], ['FILE_UNREADABLE', path])
}

async function fingerprintAt(port: number): Promise<Leaf['fingerprint256'] | undefined> {
  return (await handshake({ port })).fingerprint256
}

function withoutUsers(message: string): string {
  return message
    .replace('/live/', '/')
    .replaceAll(/owner \d+:\d+/g, 'owner')
    .replaceAll(/(uid|gid) \d+/g, '$1')
}
