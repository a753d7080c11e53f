/* Compares CONTRIBUTING.md with the repository: a newcomer must find every file that it names. */

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { projectRoot } from '../../support/processes/installed-package.js'

const read = (path: string) => readFileSync(join(projectRoot, path), 'utf8')

const page = read('CONTRIBUTING.md')

test('every path that CONTRIBUTING.md names exists', () => {
  const paths = [...page.matchAll(PATH), ...page.matchAll(LINK)].map(([, path]) => path as string)
  assert.ok(paths.length > 60)
  assert.deepEqual(missing(paths), [])
})

test('a path that does not exist is reported', () => {
  const [path] = [...'`src/main/no-such-file.ts`'.matchAll(PATH)].map(([, path]) => path as string)
  assert.deepEqual(missing([path as string]), ['src/main/no-such-file.ts'])
})

test('every name that CONTRIBUTING.md locates in a file is in that file', () => {
  const found = [...page.matchAll(/((?:`\w+`(?: and )?)+) in `([\w/.-]+\.ts)`/g)]
  assert.ok(found.length >= 3)
  for (const [, names = '', path = ''] of found) {
    for (const [, name = ''] of names.matchAll(/`(\w+)`/g))
      assert.match(read(path), new RegExp(`\\b${name}\\b`), path)
  }
})

test('every script that CONTRIBUTING.md names is in package.json', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = [...page.matchAll(/`npm run ([\w:]+)/g)].map(([, name]) => name as string)
  assert.ok(named.length > 10)
  assert.deepEqual(
    named.filter((name) => !Object.hasOwn(scripts, name)),
    [],
  )
})

/** Names of the folders that hold sources; built and fetched files do not exist in every checkout. */
const PATH = /`(?:node |bash )?((?:src|test|bench|support|scripts|docs|examples|\.ci)(?:\/[\w./-]+)?)`/g
const LINK = /\]\((?!https?:)([\w./-]+)\)/g

function missing(paths: readonly string[]): string[] {
  return paths.filter((path) => !existsSync(join(projectRoot, path)))
}
