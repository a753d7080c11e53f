import assert from 'node:assert/strict'
import { test } from 'node:test'

import { lenientCiphers } from '../../../src/workers/base/runtimes.js'

test('the first query, for a list without any cipher, does not hide that this runtime has security levels', () => {
  assert.equal(lenientCiphers('NO-SUCH-CIPHER'), 'NO-SUCH-CIPHER:@SECLEVEL=0')
  assert.equal(lenientCiphers('DEFAULT'), 'DEFAULT:@SECLEVEL=0')
})
