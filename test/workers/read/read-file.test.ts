import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { platform } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { contentDigest } from '../../../src/fingerprint/index.js'
import type { ProblemCode } from '../../../src/workers/base/problem.js'
import {
  digestFile,
  octal,
  permissionsOf,
  readFile,
  readFileAgain,
  stampFile,
} from '../../../src/workers/read/read-file.js'
import { overwriteInPlace, renameInto } from '../../../support/files/files.js'
import { lockedOut } from '../../../support/files/locked-out.js'
import { beforeCalls } from '../../../support/files/patch-fs.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { problemOf } from '../../../support/worker/problems.js'

const LIMIT = 1024
const unix = platform() === 'win32' ? 'needs a POSIX file system' : false

test('a file is read completely, with its stamp', (t) => {
  const path = join(tempDir(t), 'file')
  writeFileSync(path, 'content')
  const { bytes, stamp, steady } = readFile(path, LIMIT)
  assert.equal(bytes.toString(), 'content')
  assert.equal(steady, true)
  assert.equal(stamp, stampFile(path))
})

test('a file of exactly the limit is read, and an empty one too', (t) => {
  const path = join(tempDir(t), 'file')
  for (const length of [0, LIMIT]) {
    writeFileSync(path, Buffer.alloc(length, 1))
    const { bytes, steady } = readFile(path, LIMIT)
    assert.deepEqual([bytes.length, steady], [length, true])
  }
})

test('bytes that were read share no memory with anything else', (t) => {
  const path = join(tempDir(t), 'file')
  writeFileSync(path, 'a passphrase')
  const { bytes } = readFile(path, LIMIT)
  // One byte of extra room reveals a file that grew.
  assert.equal(bytes.buffer.byteLength, bytes.length + 1)
})

test('a file that is read again gives the same buffer while it is unchanged, and a new one after a change', (t) => {
  const path = join(tempDir(t), 'file')
  writeFileSync(path, 'content')
  const before = readFile(path, LIMIT)
  assert.equal(readFileAgain(path, LIMIT, before).bytes, before.bytes)
  for (const content of ['Content', 'content, and more', 'cont', '']) {
    overwriteInPlace(path, content)
    const after = readFileAgain(path, LIMIT, before)
    assert.deepEqual([after.bytes.toString(), after.stamp], [content, stampFile(path)])
    assert.equal(after.bytes.buffer.byteLength, content.length)
  }
  assert.equal(before.bytes.toString(), 'content')
})

test('the digest of a file is that of its own bytes, whatever was read before it', (t) => {
  const path = join(tempDir(t), 'file')
  for (const length of [10, 0, 100_000, 5, 2_000_000, 100_000]) {
    const bytes = Buffer.alloc(length, `${length} bytes `)
    writeFileSync(path, bytes)
    assert.equal(digestFile(path, 2_000_000), contentDigest(bytes))
  }
})

test('a link is followed, and the stamp is that of the file', { skip: unix }, (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'file'), 'content')
  symlinkSync('file', join(dir, 'link'))
  assert.equal(readFile(join(dir, 'link'), LIMIT).bytes.toString(), 'content')
  assert.equal(stampFile(join(dir, 'link')), stampFile(join(dir, 'file')))
})

test('every way to write a file changes its stamp, even with a restored mtime', (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'file')
  writeFileSync(path, 'same')
  const old = new Date(Date.now() - 60_000)
  const stamps = [stampFile(path)]
  const after = (act: () => void) => {
    act()
    utimesSync(path, old, old)
    stamps.push(stampFile(path))
  }
  after(() => overwriteInPlace(path, 'SAME'))
  after(() => renameInto(path, 'SAME'))
  after(() => appendFileSync(path, '!'))
  after(() => chmodSync(path, 0o640))
  after(() => linkSync(path, join(dir, 'other name')))
  assert.equal(new Set(stamps).size, stamps.length)
})

const refused: [what: string, code: ProblemCode, make: (dir: string) => string][] = [
  ['a file that does not exist', 'FILE_NOT_FOUND', (dir) => join(dir, 'absent')],
  ['a path through a file', 'FILE_NOT_FOUND', (dir) => join(fileIn(dir), 'below')],
  ['a dangling link', 'FILE_NOT_FOUND', (dir) => linkTo('absent', dir)],
  ['a link to itself', 'FILE_UNREADABLE', (dir) => linkTo('link', dir)],
  ['a directory', 'FILE_NOT_REGULAR', (dir) => dir],
  ['a link to a directory', 'FILE_NOT_REGULAR', (dir) => linkTo(dir, dir)],
  ['an endless device', 'FILE_NOT_REGULAR', () => '/dev/zero'],
  ['a FIFO without a writer', 'FILE_NOT_REGULAR', fifoIn],
  ['a path with a zero byte', 'FILE_UNREADABLE', (dir) => join(dir, 'a\0b')],
]

for (const [what, code, make] of refused) {
  test(`${what} is refused as ${code} and named, when it is read and when it is stamped`, {
    skip: unix,
  }, (t) => {
    const path = make(tempDir(t))
    for (const act of [() => readFile(path, LIMIT), () => digestFile(path, LIMIT), () => stampFile(path)]) {
      const problem = problemOf(act)
      assert.deepEqual({ code: problem.code, path: problem.path }, { code, path })
      assert.ok(problem.message.includes(path))
    }
  })
}

test('a dangling link is refused with its target', { skip: unix }, (t) => {
  const path = linkTo('/nowhere/tls.crt', tempDir(t))
  assert.match(problemOf(() => readFile(path, LIMIT)).message, /\/nowhere\/tls\.crt/)
})

test('a socket is refused', { skip: unix }, async (t) => {
  const path = join(tempDir(t), 'socket')
  const server = createServer().listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
  assert.equal(problemOf(() => readFile(path, LIMIT)).code, 'FILE_NOT_REGULAR')
})

test('a file over its limit is refused unread, with both numbers', (t) => {
  const path = join(tempDir(t), 'file')
  writeFileSync(path, Buffer.alloc(LIMIT + 1))
  beforeCalls(t, 'readSync', () => assert.fail('the file was read'))
  const { code, message } = problemOf(() => readFile(path, LIMIT))
  assert.equal(code, 'FILE_TOO_LARGE')
  assert.match(message, /1025.*1024/)
})

test('a file without permission is refused with its mode, its owner and the requesting user', {
  skip: unix,
}, (t) => {
  const path = fileIn(tempDir(t))
  const { code, message } = lockedOut(path, 0o000, () => problemOf(() => readFile(path, LIMIT)))
  assert.equal(code, 'FILE_UNREADABLE')
  assert.match(message, /mode is 0000, its owner \d+:\d+, and certswap runs as uid \d+/)
})

test('a file in a directory without permission is refused, and the directory is named', {
  skip: unix,
}, (t) => {
  const dir = join(tempDir(t), 'closed')
  mkdirSync(dir)
  const path = fileIn(dir)
  const { code, message } = lockedOut(dir, 0o000, () => problemOf(() => readFile(path, LIMIT)))
  assert.equal(code, 'FILE_UNREADABLE')
  assert.match(message, /a directory on the way/)
})

test('a file that grows while it is read is reported as unsteady, and at most one more byte of it is read', (t) => {
  const path = fileIn(tempDir(t))
  beforeCalls(t, 'readSync', () => appendFileSync(path, Buffer.alloc(LIMIT)))
  const { bytes, steady } = readFile(path, LIMIT)
  assert.equal(steady, false)
  assert.equal(bytes.length, 'content'.length + 1)
})

test('a file that is emptied while it is read is reported as unsteady', (t) => {
  const path = fileIn(tempDir(t))
  beforeCalls(t, 'readSync', () => overwriteInPlace(path, ''))
  const { bytes, steady } = readFile(path, LIMIT)
  assert.deepEqual([bytes.length, steady], [0, false])
})

test('a file that grows over its limit between stat and open is refused', (t) => {
  const path = fileIn(tempDir(t))
  beforeCalls(t, 'openSync', () => appendFileSync(path, Buffer.alloc(LIMIT)))
  assert.equal(problemOf(() => readFile(path, LIMIT)).code, 'FILE_TOO_LARGE')
})

test('permissions are shown in the format of chmod', { skip: unix }, (t) => {
  const path = fileIn(tempDir(t))
  chmodSync(path, 0o640)
  assert.equal(octal(permissionsOf(path)?.mode ?? 0), '0640')
  assert.equal(octal(0o7), '0007')
  assert.equal(permissionsOf(join(path, '..', 'absent')), null)
})

function fileIn(dir: string): string {
  const path = join(dir, 'file')
  writeFileSync(path, 'content')
  return path
}

function linkTo(target: string, dir: string): string {
  const path = join(dir, 'link')
  symlinkSync(target, path)
  return path
}

function fifoIn(dir: string): string {
  const path = join(dir, 'fifo')
  execFileSync('mkfifo', [path])
  return path
}
