import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { defaultControlPath, findControlPath } from '../../../src/main/cli/control-path.js'
import { tempDir } from '../../../support/files/temp-dir.js'

const here = join('.certswap', 'control.sock')

test('the socket is created in the runtime directory of the user, or below the working directory', () => {
  assert.equal(defaultControlPath({ XDG_RUNTIME_DIR: '/run/user/7' }), '/run/user/7/certswap/control.sock')
  assert.equal(defaultControlPath({}), here)
  assert.equal(defaultControlPath({ XDG_RUNTIME_DIR: '' }), here)
  assert.equal(defaultControlPath({ XDG_RUNTIME_DIR: 'relative' }), here)
})

test("a client finds the system's service if the user has none", () => {
  const service = '/run/certswap/control.sock'
  assert.equal(
    findControlPath({}, (path) => path === service),
    service,
  )
  assert.equal(
    findControlPath({}, () => true),
    here,
  )
  assert.equal(
    findControlPath({}, () => false),
    here,
  )
})

test('a client searches both places', (t) => {
  const runtime = tempDir(t)
  const env = { XDG_RUNTIME_DIR: runtime }
  const before = process.cwd()
  t.after(() => process.chdir(before))
  process.chdir(tempDir(t))
  const inRuntime = join(runtime, 'certswap', 'control.sock')
  assert.equal(findControlPath(env), inRuntime, 'to name it in the error')
  mkdirSync('.certswap')
  writeFileSync(here, '')
  assert.equal(findControlPath(env), here)
  mkdirSync(join(runtime, 'certswap'))
  writeFileSync(inRuntime, '')
  assert.equal(findControlPath(env), inRuntime)
})
