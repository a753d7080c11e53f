import assert from 'node:assert/strict'
import { test } from 'node:test'

import { lenientCiphers } from '../../../src/workers/base/runtimes.js'

test('a list without any cipher, asked for first, does not hide that this runtime has security levels', () => {
  assert.equal(lenientCiphers('NO-SUCH-CIPHER'), 'NO-SUCH-CIPHER:@SECLEVEL=0')
  assert.equal(lenientCiphers('DEFAULT'), 'DEFAULT:@SECLEVEL=0')
})
