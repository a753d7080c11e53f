import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { readLastGoodKey } from '../../../src/main/feed/last-good-key.js'
import { ProblemError } from '../../../src/workers/base/problem.js'
import { tempDir } from '../../../support/files/temp-dir.js'

const key = randomBytes(32)

test('a key file holds 32 bytes, 64 hexadecimal digits or base64, with or without a line end', async (t) => {
  const path = join(tempDir(t), 'key')
  const hex = key.toString('hex')
  const base64 = key.toString('base64')
  const url = key.toString('base64url')
  for (const content of [key, hex, `${hex.toUpperCase()}\n`, base64, `${base64}\r\n`, url, `${url}\n`]) {
    writeFileSync(path, content, { mode: 0o600 })
    assert.deepEqual(await readLastGoodKey(path), key)
  }
})

test('the command of the page writes a key', async (t) => {
  const dir = tempDir(t)
  const page = readFileSync(new URL('../../../../docs/sources/last-good.md', import.meta.url), 'utf8')
  const [, script = ''] = /```sh\n(.*?)```/s.exec(page) ?? []
  execFileSync('sh', ['-ec', script.replaceAll('/etc/app', dir)])
  assert.equal((await readLastGoodKey(join(dir, 'last-good.key'))).length, 32)
})

test('a mounted secret is a link to a key file', async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'data'), key, { mode: 0o440 })
  symlinkSync('data', join(dir, 'key'))
  assert.deepEqual(await readLastGoodKey(join(dir, 'key')), key)
})

test('a file without a key of 32 bytes is refused, and its content is not shown', async (t) => {
  const path = join(tempDir(t), 'key')
  const half = key.toString('hex').slice(32)
  const wrong = [
    '',
    half,
    `${half}\n`,
    `${half}${half}${half}`,
    'a password of 32 characters, in ',
    `${key.toString('hex').slice(1)}g`,
    `${key.toString('hex').slice(1)}\u0010`,
    `${key.toString('base64').slice(1)}*`,
    '0'.repeat(64),
    Buffer.alloc(32),
    randomBytes(31),
    randomBytes(4096),
  ]
  for (const content of wrong) {
    writeFileSync(path, content, { mode: 0o600 })
    const problem = await refusal(path)
    assert.equal(problem.code, 'LAST_GOOD_UNREADABLE', String(content))
    assert.ok(content.length === 0 || !problem.message.includes(String(content)))
  }
})

test('a key file that is missing, a directory, or open to other users is refused', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'key')
  assert.equal((await refusal(path)).code, 'LAST_GOOD_UNREADABLE')
  mkdirSync(join(dir, 'folder'))
  assert.equal((await refusal(join(dir, 'folder'))).code, 'LAST_GOOD_UNREADABLE')
  writeFileSync(path, key)
  for (const mode of [0o644, 0o604, 0o660, 0o622]) {
    chmodSync(path, mode)
    assert.equal((await refusal(path)).code, 'LAST_GOOD_OPEN', mode.toString(8))
  }
})

async function refusal(path: string) {
  const error: unknown = await readLastGoodKey(path).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof ProblemError, String(error))
  return error.problem
}
