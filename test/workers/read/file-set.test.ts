import assert from 'node:assert/strict'
import { appendFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { contentDigest, sameFingerprint } from '../../../src/fingerprint/index.js'
import type { Role } from '../../../src/workers/protocol/roles.js'
import { looksUnchanged, quickEntries, readFileSet } from '../../../src/workers/read/file-set.js'
import type { MaterialSet } from '../../../src/workers/read/material-reader.js'
import { stampFile } from '../../../src/workers/read/read-file.js'
import type { SourceFile } from '../../../src/workers/read/source-files.js'
import { overwriteInPlace, renameInto } from '../../../support/files/files.js'
import { beforeCalls } from '../../../support/files/patch-fs.js'
import { tempDir } from '../../../support/files/temp-dir.js'

test('a set gives the bytes and paths of each role, and a fingerprint by the rule of each file', (t) => {
  const files = pairIn(tempDir(t))
  const [cert, key] = files as [SourceFile, SourceFile]
  const set = readable(files)
  assert.equal(bytesOf(set, 'cert', cert.path).toString(), 'certificate')
  assert.equal(bytesOf(set, 'key', key.path).toString(), 'secret')
  assert.deepEqual(idsOf(set, 'key'), [key.path])
  assert.deepEqual(idsOf(set, 'ca'), [])
  assert.deepEqual(set.fingerprint, [
    { path: cert.path, by: 'content', value: contentDigest(Buffer.from('certificate')) },
    { path: key.path, by: 'stamp', value: stampFile(key.path) },
  ])
})

test('a quick fingerprint equals that of a full read without opening a secret', (t) => {
  const files = pairIn(tempDir(t))
  const { fingerprint } = readable(files)
  let opened = 0
  beforeCalls(t, 'openSync', () => opened++, 10)
  assert.ok(sameFingerprint(fingerprint, quickEntries(files)))
  assert.equal(opened, 1)
})

test('if a key was renewed, a quick fingerprint detects it without opening a file', (t) => {
  const files = pairIn(tempDir(t))
  const { fingerprint } = readable(files)
  renameInto((files[1] as SourceFile).path, 'secret')
  let opened = 0
  beforeCalls(t, 'openSync', () => opened++, 10)
  assert.equal(looksUnchanged(files, fingerprint), false)
  assert.equal(opened, 0)
})

test('an unchanged set is unchanged; a written, replaced or missing file is a change', (t) => {
  const files = pairIn(tempDir(t))
  const [cert, key] = files as [SourceFile, SourceFile]
  const changes = [
    () => overwriteInPlace(cert.path, 'Certificate'),
    () => overwriteInPlace(key.path, 'secret'),
    () => renameInto(key.path, 'secret'),
    () => rmSync(key.path),
  ]
  for (const change of changes) {
    const { fingerprint } = readable(files)
    assert.equal(looksUnchanged(files, fingerprint), true)
    change()
    assert.equal(looksUnchanged(files, fingerprint), false)
  }
})

test('a certificate that is rewritten with the same content is unchanged', (t) => {
  const files = pairIn(tempDir(t))
  const { fingerprint } = readable(files)
  renameInto((files[0] as SourceFile).path, 'certificate')
  assert.equal(looksUnchanged(files, fingerprint), true)
})

test('a file that changes during the first read is read again, and its final content counts', (t) => {
  const files = pairIn(tempDir(t))
  const [cert] = files as [SourceFile]
  beforeCalls(t, 'readSync', () => appendFileSync(cert.path, ', renewed'))
  assert.equal(bytesOf(readable(files), 'cert', cert.path).toString(), 'certificate, renewed')
})

test('a file that is replaced between two reads is read again', (t) => {
  const files = pairIn(tempDir(t))
  const [cert, key] = files as [SourceFile, SourceFile]
  const reads: string[] = []
  beforeCalls(
    t,
    'openSync',
    () => {
      reads.push('open')
      // The key's first opening: the certificate of this pass has been read.
      if (reads.length === 2) renameInto(cert.path, 'renewed')
    },
    10,
  )
  const set = readable(files)
  assert.equal(bytesOf(set, 'cert', cert.path).toString(), 'renewed')
  assert.equal(bytesOf(set, 'key', key.path).toString(), 'secret')
  assert.equal(reads.length, 6)
})

test('unchanged trust files take no further memory, each digest follows the current content, and neither a key nor a large file is kept', (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'ca.pem')
  const read = (text: string) => {
    writeFileSync(path, text)
    const set = readable([{ ...source('ca', path), maxBytes: 4_000_000 }])
    const bytes = bytesOf(set, 'ca', path)
    assert.equal(bytes.toString(), text)
    assert.deepEqual(
      set.fingerprint.map(({ value }) => value),
      [contentDigest(Buffer.from(text))],
    )
    return bytes
  }
  const first = read('anchor')
  assert.equal(read('anchor'), first)
  const second = read('another')
  assert.notEqual(second, first)
  assert.equal(read('another'), second)
  for (const text of ['-----BEGIN PRIVATE KEY-----', '#'.repeat(2_000_000)])
    assert.notEqual(read(text), read(text))
  assert.equal(first.toString(), 'anchor')
})

test('trust that has not changed for seconds is read once and stamped twice; a key, and trust that was just written, are read twice', (t) => {
  const dir = tempDir(t)
  const files = [source('key', join(dir, 'tls.key')), source('ca', join(dir, 'ca.pem'))]
  for (const { path } of files) writeFileSync(path, 'text')
  let opened = 0
  beforeCalls(t, 'openSync', () => opened++, 100)
  readable(files)
  assert.equal(opened, 4)
  later(t)
  readable(files)
  assert.equal(opened, 7)
})

test('trust that has not changed for seconds, and changes between the two reads, is read again', (t) => {
  const path = join(tempDir(t), 'ca.pem')
  const changes = [
    () => overwriteInPlace(path, 'renewed'),
    () => renameInto(path, 'renewed'),
    () => rmSync(path),
  ]
  for (const change of changes) {
    writeFileSync(path, 'anchors')
    later(t)
    let looks = 0
    const changeBeforeTheSecond = () => {
      if (++looks === 2) change()
    }
    beforeCalls(t, 'statSync', changeBeforeTheSecond, 2)
    const set = readFileSet([source('ca', path)])
    if (Array.isArray(set)) assert.equal(set[0]?.code, 'FILE_NOT_FOUND')
    else assert.equal(bytesOf(set, 'ca', path).toString(), 'renewed')
    assert.equal(looks, 2)
  }
})

test('files that keep changing are reported after five reads', (t) => {
  const files = pairIn(tempDir(t))
  const [cert] = files as [SourceFile]
  let reads = 0
  beforeCalls(
    t,
    'openSync',
    () => {
      reads++
      appendFileSync(cert.path, '!')
    },
    100,
  )
  const problems = readFileSet(files)
  assert.ok(Array.isArray(problems))
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['FILES_CHANGING'],
  )
  assert.equal(reads, 5 * files.length)
})

test('all files that cannot be read are reported together, each once', (t) => {
  const dir = tempDir(t)
  const both = join(dir, 'both.pem')
  const files = [source('cert', both), source('key', both), source('ca', dir)]
  const problems = readFileSet(files)
  assert.ok(Array.isArray(problems))
  assert.deepEqual(
    problems.map(({ code, path }) => [code, path]),
    [
      ['FILE_NOT_FOUND', both],
      ['FILE_NOT_REGULAR', dir],
    ],
  )
})

test('a file that appears between two reads is awaited', (t) => {
  const files = pairIn(tempDir(t))
  const [cert, key] = files as [SourceFile, SourceFile]
  rmSync(key.path)
  // Renewals that delete before they create: the key appears while the certificate is read for the second time.
  let opened = 0
  beforeCalls(
    t,
    'openSync',
    () => {
      if (++opened === 2) writeFileSync(key.path, 'secret')
    },
    10,
  )
  assert.equal(bytesOf(readable(files), 'key', key.path).toString(), 'secret')
  assert.ok(statSync(cert.path).isFile())
})

test('wiping overwrites keys, passphrases and certificates, which may hold a key, and keeps trust anchors', (t) => {
  const dir = tempDir(t)
  const roles = ['cert', 'key', 'pfx', 'passphrase', 'ca', 'crl', 'dhparam'] as const
  const files = roles.map((role) => {
    writeFileSync(join(dir, role), role)
    return source(role, join(dir, role))
  })
  const set = readable(files)
  const bytes = roles.map((role) => bytesOf(set, role, join(dir, role)))
  set.wipe()
  assert.deepEqual(
    roles.filter((_, i) => bytes[i]?.every((byte) => byte === 0)),
    ['cert', 'key', 'pfx', 'passphrase'],
  )
})

function pairIn(dir: string): SourceFile[] {
  const [cert, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')]
  writeFileSync(cert, 'certificate')
  writeFileSync(key, 'secret')
  return [source('cert', cert), source('key', key)]
}

function source(role: SourceFile['role'], path: string): SourceFile {
  return { role, path, rule: role === 'key' ? 'stamp' : 'content', maxBytes: 1024 }
}

/** Three seconds later from now on. */
function later(t: TestContext): void {
  t.mock.timers.reset()
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_000 })
}

function readable(files: readonly SourceFile[]): MaterialSet {
  const set = readFileSet(files)
  assert.ok(!Array.isArray(set), JSON.stringify(set))
  return set
}

function bytesOf(set: MaterialSet, role: Role, path: string): Buffer {
  const item = set.itemsOf(role).find(({ id }) => id === path)
  assert.ok(item, `${role} ${path}`)
  return item.bytes
}

function idsOf(set: MaterialSet, role: Role): string[] {
  return set.itemsOf(role).map(({ id }) => id)
}
