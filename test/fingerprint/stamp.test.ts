import assert from 'node:assert/strict'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { inodeStamp } from '../../src/fingerprint/index.js'
import { tempDir } from '../../support/files/temp-dir.js'

const fields = { dev: 1n, ino: 2n, size: 3n, mtimeNs: 4n, ctimeNs: 5n }

test('every field is part of the stamp, in its full precision', () => {
  const stamps = Object.keys(fields).map((name) => inodeStamp({ ...fields, [name]: 9_007_199_254_740_993n }))
  const nanosecondLater = inodeStamp({ ...fields, ctimeNs: 9_007_199_254_740_994n })
  assert.equal(new Set([inodeStamp(fields), nanosecondLater, ...stamps]).size, stamps.length + 2)
})

test('the encoding separates fields', () => {
  assert.notEqual(inodeStamp({ ...fields, dev: 11n, ino: 1n }), inodeStamp({ ...fields, dev: 1n, ino: 11n }))
})

test('the stamp of an unchanged file is stable', (t) => {
  const path = join(tempDir(t), 'file')
  writeFileSync(path, 'content')
  const look = () => inodeStamp(statSync(path, { bigint: true }))
  assert.equal(look(), look())
})
