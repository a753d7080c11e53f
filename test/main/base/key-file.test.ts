import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { KeyFileError, readKeyFile } from '../../../src/main/base/key-file.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { projectRoot } from '../../../support/processes/installed-package.js'

const key = randomBytes(32)

test('a key file holds 32 bytes, 64 hexadecimal digits or base64, with or without a line end', async (t) => {
  const path = join(tempDir(t), 'key')
  const hex = key.toString('hex')
  const base64 = key.toString('base64')
  const url = key.toString('base64url')
  for (const content of [key, hex, `${hex.toUpperCase()}\n`, base64, `${base64}\r\n`, url, `${url}\n`]) {
    writeFileSync(path, content, { mode: 0o600 })
    assert.deepEqual(await readKeyFile(path), key)
  }
})

test('the commands of the pages write a key', async (t) => {
  for (const page of ['last-good.md', 'redis.md']) {
    const dir = tempDir(t)
    const text = readFileSync(join(projectRoot, 'docs/sources', page), 'utf8')
    const command =
      [...text.matchAll(/```sh\n(.*?)```/gs)]
        .map(([, one = '']) => one)
        .find((one) => one.includes('openssl rand')) ?? ''
    execFileSync('sh', ['-ec', command.replaceAll('/etc/app', dir)], { cwd: dir })
    const [name = ''] = readdirSync(dir)
    assert.equal((await readKeyFile(join(dir, name))).length, 32, page)
  }
})

test('a mounted secret is a link to a key file', async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'data'), key, { mode: 0o440 })
  symlinkSync('data', join(dir, 'key'))
  assert.deepEqual(await readKeyFile(join(dir, 'key')), key)
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
    const { isOpen, message } = await refusal(path)
    assert.equal(isOpen, false, String(content))
    assert.ok(content.length === 0 || !message.includes(String(content)))
  }
})

test('a key file that is missing, a directory, or open to other users is refused', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'key')
  assert.equal((await refusal(path)).isOpen, false)
  mkdirSync(join(dir, 'folder'))
  assert.equal((await refusal(join(dir, 'folder'))).isOpen, false)
  writeFileSync(path, key)
  for (const mode of [0o644, 0o604, 0o660, 0o622]) {
    chmodSync(path, mode)
    assert.equal((await refusal(path)).isOpen, true, mode.toString(8))
  }
})

async function refusal(path: string) {
  const error: unknown = await readKeyFile(path).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof KeyFileError, String(error))
  return error
}
