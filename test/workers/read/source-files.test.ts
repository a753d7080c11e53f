import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { listSourceFiles } from '../../../src/workers/read/source-files.js'
import { lockedOut } from '../../../support/files/locked-out.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { problemOf } from '../../../support/worker/problems.js'
import { taskFor } from '../../../support/worker/tasks-here.js'

const pair = { cert: 'tls.crt', key: 'tls.key' }

test('certificates are compared by content, secrets by stamp, and each has its limit', () => {
  const { sources, limits } = taskFor({
    cert: ['rsa.crt', 'ec.crt'],
    key: ['rsa.key', 'ec.key'],
    passphrase: { file: 'pass' },
    ca: 'ca.pem',
    crl: ['a.crl', 'b.crl'],
    dhparam: 'dh.pem',
    worker: { maxFileBytes: 10 },
  })
  assert.deepEqual(
    listSourceFiles(sources, limits).map(({ role, path, rule, maxBytes }) => [role, path, rule, maxBytes]),
    [
      ['cert', 'rsa.crt', 'content', 10],
      ['key', 'rsa.key', 'stamp', 10],
      ['cert', 'ec.crt', 'content', 10],
      ['key', 'ec.key', 'stamp', 10],
      ['passphrase', 'pass', 'stamp', 10],
      ['ca', 'ca.pem', 'content', 160],
      ['crl', 'a.crl', 'content', 160],
      ['crl', 'b.crl', 'content', 160],
      ['dhparam', 'dh.pem', 'content', 10],
    ],
  )
})

test('a PKCS#12 file with a passphrase in the options is one file, compared by stamp', () => {
  const { sources, limits } = taskFor({ pfx: 'tls.p12', passphrase: 'secret' })
  assert.deepEqual(
    listSourceFiles(sources, limits).map(({ role, rule }) => [role, rule]),
    [['pfx', 'stamp']],
  )
})

test('a directory gives its files sorted, including links to files, compared by stamp', (t) => {
  const dir = tempDir(t)
  write(dir, 'b.pem', 'a.crt', '1f2e3d4c.0')
  symlinkSync('b.pem', join(dir, 'link.pem'))
  assert.deepEqual(
    entries(dir),
    ['1f2e3d4c.0', 'a.crt', 'b.pem', 'link.pem'].map((name) => join(dir, name)),
  )
  const { sources, limits } = taskFor({ ...pair, caDir: dir })
  assert.equal(listSourceFiles(sources, limits).at(-1)?.rule, 'stamp')
})

test('hidden files, temporary files and directories are omitted', (t) => {
  const dir = tempDir(t)
  write(dir, '.hidden.pem', 'ca.pem~', 'ca.pem.bak', 'ca.pem.tmp', '.ca.pem.swp', 'ca.swp', '#ca.pem#')
  write(dir, 'ca.rpmnew', 'ca.rpmsave', 'ca.dpkg-old', 'ca.dpkg-dist', 'two\nlines.bak', 'ca.pem')
  mkdirSync(join(dir, 'more'))
  write(join(dir, 'more'), 'deep.pem')
  symlinkSync('more', join(dir, 'link-to-directory'))
  assert.deepEqual(entries(dir), [join(dir, 'ca.pem')])
})

test('a Kubernetes volume gives the visible links, not their targets', (t) => {
  const dir = tempDir(t)
  mkdirSync(join(dir, '..2026_01_01'))
  write(join(dir, '..2026_01_01'), 'ca.crt')
  symlinkSync('..2026_01_01', join(dir, '..data'))
  symlinkSync(join('..data', 'ca.crt'), join(dir, 'ca.crt'))
  assert.deepEqual(entries(dir), [join(dir, 'ca.crt')])
})

test('dangling links are kept, so that they are refused and named', (t) => {
  const dir = tempDir(t)
  symlinkSync('absent.pem', join(dir, 'dangling.pem'))
  symlinkSync('loop.pem', join(dir, 'loop.pem'))
  assert.deepEqual(entries(dir), [join(dir, 'dangling.pem'), join(dir, 'loop.pem')])
})

test('a directory whose name looks like a pattern is a directory', (t) => {
  const dir = join(tempDir(t), 'cas [prod] {1,2}*')
  mkdirSync(dir)
  write(dir, 'ca.pem')
  assert.deepEqual(entries(dir), [join(dir, 'ca.pem')])
})

test('a pattern gives its matching files, and no temporary files', (t) => {
  const dir = tempDir(t)
  for (const name of ['a', 'b']) {
    mkdirSync(join(dir, name))
    write(join(dir, name), 'ca.pem', 'notes.txt', '.ca.pem')
  }
  assert.deepEqual(entries(join(dir, '*', '*.pem')), [join(dir, 'a', 'ca.pem'), join(dir, 'b', 'ca.pem')])
  assert.deepEqual(entries(join(dir, '**', '*.{tmp,txt}')), [
    join(dir, 'a', 'notes.txt'),
    join(dir, 'b', 'notes.txt'),
  ])
  assert.deepEqual(entries(join(dir, '*.nothing')), [])
})

test('a directory that does not exist is refused and named', (t) => {
  const path = join(tempDir(t), 'absent')
  assert.deepEqual(refusal(path), { code: 'FILE_NOT_FOUND', path })
})

test('a file in place of a directory is refused and named', (t) => {
  const dir = tempDir(t)
  write(dir, 'ca.pem')
  const path = join(dir, 'ca.pem')
  assert.deepEqual(refusal(path), { code: 'FILE_NOT_REGULAR', path })
})

test('a directory below one without search permission is refused and named', (t) => {
  const closed = join(tempDir(t), 'closed')
  const path = join(closed, 'cas')
  mkdirSync(path, { recursive: true })
  assert.deepEqual(
    lockedOut(closed, 0o000, () => refusal(path)),
    { code: 'FILE_UNREADABLE', path },
  )
})

test('a directory that can be searched but not listed is refused and named', (t) => {
  const path = join(tempDir(t), 'unlisted')
  mkdirSync(path)
  assert.deepEqual(
    lockedOut(path, 0o311, () => refusal(path)),
    { code: 'FILE_UNREADABLE', path },
  )
})

test('a pattern below a directory that cannot be listed is refused and named', (t) => {
  const dir = join(tempDir(t), 'unlisted')
  mkdirSync(dir)
  const path = join(dir, '*.pem')
  assert.deepEqual(
    lockedOut(dir, 0o311, () => refusal(path)),
    { code: 'FILE_UNREADABLE', path },
  )
})

function write(dir: string, ...names: string[]): void {
  for (const name of names) writeFileSync(join(dir, name), '')
}

function entries(caDir: string): string[] {
  const { sources, limits } = taskFor({ ...pair, caDir })
  return listSourceFiles(sources, limits)
    .filter(({ role }) => role === 'ca')
    .map(({ path }) => path)
}

function refusal(caDir: string): { code: string; path: string | undefined } {
  const { code, path } = problemOf(() => entries(caDir))
  return { code, path }
}
