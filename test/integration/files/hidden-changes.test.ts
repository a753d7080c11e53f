/*
 * Every change of the content of the files is detected, however little of their metadata changes.
 *
 * Guards against what Valkey 9.1 misses (it fingerprints the first certificate of a file and stamps of directories in whole
 * seconds): a CA appended to a bundle, a changed intermediate beside the same leaf, a CA overwritten inside its directory, a
 * key with its old mtime. Others reported the same: vault#11810, cert-manager#5114 and elasticsearch#63870.
 */

import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { assertRefused } from '../../../support/clients/refusal.js'
import { handshake } from '../../../support/clients/tls-client.js'
import {
  assertApplied,
  nextEvent,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'

const root = createAuthority()
const [authorityA, authorityB] = [createAuthority(), createAuthority()]
const [clientA, clientB] = [authorityA, authorityB].map((authority) => {
  const { certPem, keyPem } = authority.issue()
  return { cert: certPem, key: keyPem, confirm: true }
}) as [ClientIdentity, ClientIdentity]

interface ClientIdentity {
  readonly cert: string
  readonly key: string
  readonly confirm: true
}

test('clients of a CA that was appended to the bundle are admitted', async (t) => {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.pem')
  overwriteInPlace(ca, authorityA.certPem)
  const engine = await startEngine(t, { ...writePair(dir, root.issue()), ca, requestCert: true })
  const port = await serveEcho(t, engine)
  await assertRefused({ port, ...clientB })
  appendFileSync(ca, authorityB.certPem)
  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual(result.changed, [ca])
  await handshake({ port, ...clientB })
  await handshake({ port, ...clientA })
})

test('a CA that was overwritten in place inside its directory changes which clients are admitted', async (t) => {
  const dir = tempDir(t)
  const caDir = join(dir, 'ca.d')
  const file = join(caDir, 'clients.pem')
  mkdirSync(caDir)
  overwriteInPlace(file, authorityA.certPem)
  const engine = await startEngine(t, { ...writePair(dir, root.issue()), caDir, requestCert: true })
  const port = await serveEcho(t, engine)
  const before = [stampOf(caDir), stampOf(file).ino]
  overwriteInPlace(file, authorityB.certPem)
  assert.deepEqual([stampOf(caDir), stampOf(file).ino], before)
  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual(result.changed, [file])
  await handshake({ port, ...clientB })
  await assertRefused({ port, ...clientA })
})

test('an intermediate that was renewed without its leaf is sent to clients', async (t) => {
  const intermediate = root.issueAuthority({ name: 'Renewed Intermediate' })
  const renewed = root.issueAuthority({ name: 'Renewed Intermediate', key: intermediate })
  const leaf = intermediate.issue()
  const paths = writePair(tempDir(t), leaf)
  const engine = await startEngine(t, paths)
  const port = await serveEcho(t, engine)
  assert.deepEqual((await handshake({ port })).issuers, [intermediate.fingerprint256])
  overwriteInPlace(paths.cert, leaf.certPem + renewed.certPem)
  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual(result.changed, [paths.cert])
  assert.equal(result.serving.fingerprint256, leaf.fingerprint256)
  assert.deepEqual((await handshake({ port })).issuers, [renewed.fingerprint256])
})

test('a certificate that was renewed for the same key is served', async (t) => {
  const leaf = root.issue()
  const paths = writePair(tempDir(t), leaf)
  const engine = await startEngine(t, paths)
  const port = await serveEcho(t, engine)
  const renewed = root.issue({ key: leaf })
  overwriteInPlace(paths.cert, renewed.chainPem)
  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual(result.changed, [paths.cert])
  assert.equal(await servedBy(port), renewed.fingerprint256)
})

for (const trigger of ['reload()', 'the timer'] as const) {
  test(`a pair with the same sizes, inodes and modification times as the previous one is served by ${trigger}`, async (t) => {
    const leaf = root.issue()
    const paths = writePair(tempDir(t), leaf)
    overwriteWithOldTime(paths.cert, leaf.chainPem)
    overwriteWithOldTime(paths.key, leaf.keyPem)
    const stamps = [stampOf(paths.cert), stampOf(paths.key)]
    const engine = await startEngine(t, { ...paths, autoReloadInterval: trigger === 'the timer' ? 0.05 : 0 })
    const port = await serveEcho(t, engine)
    const twin = leafOfSize(leaf.chainPem.length)
    const applied = nextEvent(engine, 'applied')
    overwriteWithOldTime(paths.cert, twin.chainPem)
    overwriteWithOldTime(paths.key, twin.keyPem)
    assert.deepEqual([stampOf(paths.cert), stampOf(paths.key)], stamps)
    if (trigger === 'reload()') assertApplied(await engine.reload())
    await applied
    assert.equal(await servedBy(port), twin.fingerprint256)
  })
}

test('a key that was replaced without its certificate, with its modification time restored, is detected and the engine waits for the pair', async (t) => {
  const leaf = root.issue()
  const paths = writePair(tempDir(t), leaf)
  overwriteWithOldTime(paths.key, leaf.keyPem)
  const stamp = stampOf(paths.key)
  const engine = await startEngine(t, paths)
  const port = await serveEcho(t, engine)
  const next = root.issue()
  overwriteWithOldTime(paths.key, next.keyPem)
  assert.deepEqual(stampOf(paths.key), stamp)
  const { outcome, changed } = await engine.reload()
  assert.deepEqual({ outcome, changed }, { outcome: 'waiting-for-pair', changed: [paths.key] })
  const applied = nextEvent(engine, 'applied')
  overwriteInPlace(paths.cert, next.chainPem)
  assertApplied(await applied)
  assert.equal(await servedBy(port), next.fingerprint256)
})

/** The metadata that a less careful program compares: all but the ctime. */
function stampOf(path: string): { ino: bigint; size: bigint; mtimeNs: bigint } {
  const { ino, size, mtimeNs } = statSync(path, { bigint: true })
  return { ino, size, mtimeNs }
}

/** Whole seconds, because Node cannot restore nanoseconds. */
const OLD_TIME = new Date('2026-01-01T00:00:00Z')

function overwriteWithOldTime(path: string, content: string): void {
  overwriteInPlace(path, content)
  utimesSync(path, OLD_TIME, OLD_TIME)
}

/** ECDSA signatures differ in length by some bytes, so it may take a few attempts. */
function leafOfSize(length: number): Leaf {
  for (;;) {
    const leaf = root.issue()
    if (leaf.chainPem.length === length) return leaf
  }
}
