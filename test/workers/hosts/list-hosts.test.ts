import assert from 'node:assert/strict'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'
import fastGlob from 'fast-glob'

import { listHosts } from '../../../src/workers/hosts/list-hosts.js'
import { lockedOut } from '../../../support/files/locked-out.js'
import { tempDir } from '../../../support/files/temp-dir.js'

const entry = fc.record({
  name: fc.stringMatching(/^[.a-c ~\-[(é]{1,4}$/).filter((name) => name !== '.' && name !== '..'),
  kind: fc.constantFrom(
    'directory',
    'file',
    'link to a directory',
    'link to a file',
    'dangling link',
    'loop',
  ),
})

test('every directory in a directory is listed like fast-glob does: links followed, hidden ones omitted', (t) => {
  const dir = tempDir(t)
  const parent = join(dir, 'hosts')
  mkdirSync(join(dir, 'target'))
  writeFileSync(join(dir, 'target-file'), '')
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: ({ name }) => name }), (entries) => {
      rmSync(parent, { recursive: true, force: true })
      mkdirSync(parent)
      for (const { name, kind } of entries) put(join(parent, name), kind)
      const pattern = `${parent}/*`
      assert.deepEqual(listed(pattern), fastGlob.sync(pattern, { onlyDirectories: true }).sort())
    }),
  )
})

test('a parent with brackets or braces in its name is still a pattern, and one with parentheses is a plain name', (t) => {
  const dir = tempDir(t)
  for (const name of ['a', 'b', 'c (old)']) mkdirSync(join(dir, name, 'host'), { recursive: true })
  const both = [`${dir}/a/host`, `${dir}/b/host`]
  for (const parent of ['{a,b}', '[ab]', '@(a|b)']) assert.deepEqual(listed(`${dir}/${parent}/*`), both)
  assert.deepEqual(listed(`${dir}/c (old)/*`), [`${dir}/c (old)/host`])
})

test('a parent that leads over a link keeps its spelling', (t) => {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'far', 'deep'), { recursive: true })
  mkdirSync(join(dir, 'far', 'hosts', 'a'), { recursive: true })
  symlinkSync(join('far', 'deep'), join(dir, 'link'))
  assert.deepEqual(listed(`${dir}/link/../hosts/*`), [`${dir}/link/../hosts/a`])
})

test('a missing parent has no hosts, and an unlistable one is named', (t) => {
  const dir = tempDir(t)
  const { hosts, empty, unlisted: none } = listHosts({ named: null, patterns: [`${dir}/absent/*`] })
  assert.deepEqual({ hosts, empty, none }, { hosts: [], empty: [], none: [] })
  const closed = join(dir, 'closed')
  mkdirSync(closed)
  const pattern = `${closed}/*`
  const { unlisted } = lockedOut(closed, 0o311, () => listHosts({ named: null, patterns: [pattern] }))
  assert.deepEqual(
    unlisted.map(({ code, path }) => [code, path]),
    [['FILE_UNREADABLE', pattern]],
  )
})

function put(path: string, kind: string): void {
  if (kind === 'directory') mkdirSync(path)
  else if (kind === 'file') writeFileSync(path, '')
  else if (kind === 'link to a directory') symlinkSync(join('..', 'target'), path)
  else if (kind === 'link to a file') symlinkSync(join('..', 'target-file'), path)
  else symlinkSync(kind === 'loop' ? path : 'absent', path)
}

/** Directories without a pair are those that are listed as empty. */
function listed(pattern: string): readonly string[] {
  return listHosts({ named: null, patterns: [pattern] }).empty
}
