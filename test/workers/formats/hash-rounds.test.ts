import assert from 'node:assert/strict'
import { hash, randomBytes } from 'node:crypto'
import { test } from 'node:test'

import { hashRounds } from '../../../src/workers/formats/hash-rounds.js'

for (const digest of ['sha1', 'sha256', 'sha512', 'md5']) {
  test(`${digest} of ${digest} of any bytes equals the result of Node's own hash, round by round`, () => {
    for (let rounds = 1; rounds <= 150; rounds++) {
      const first = randomBytes(rounds)
      let expected: Buffer = hash(digest, first, 'buffer')
      for (let round = 1; round < rounds; round++) expected = hash(digest, expected, 'buffer')
      assert.deepEqual(hashRounds(digest, first, rounds), expected)
    }
  })
}
