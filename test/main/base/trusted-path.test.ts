import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { trustedEntry, UntrustedPathError } from '../../../src/main/base/trusted-path.js'
import { tempDir } from '../../../support/files/temp-dir.js'

const skip = process.geteuid ? false : 'needs users'

test('the end of a path is checked as such, also if the path ends in .. or in a link to a parent directory', {
  skip,
}, (t) => {
  const dir = realpathSync(tempDir(t))
  const shared = join(dir, 'shared')
  mkdirSync(join(shared, 'own'), { recursive: true })
  symlinkSync('.', join(shared, 'here'))
  const ends = [`${shared}/own/..`, `${shared}/here`, shared]
  for (const path of ends) assert.equal(trustedEntry(path), shared)
  chmodSync(shared, 0o770)
  for (const path of ends) {
    assert.throws(() => trustedEntry(path), new UntrustedPathError(shared, 'can be written by its group'))
  }
  assert.equal(trustedEntry(`${shared}/own`), join(shared, 'own'))
})

test('a path that does not exist gives no path', (t) => {
  assert.equal(trustedEntry(join(tempDir(t), 'missing', 'file')), null)
})
