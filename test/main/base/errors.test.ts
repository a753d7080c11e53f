import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ReloadError } from '../../../src/main/base/errors.js'

test('an error has a name, a code, a message and a cause, and is its own problem', () => {
  const cause = new TypeError('why')
  const error = new ReloadError('KEY_INVALID', 'the key is damaged', { cause, path: 'tls.key' })
  assert.ok(error instanceof Error)
  assert.deepEqual(
    [error.name, error.code, error.message, error.path, error.cause],
    ['ReloadError', 'KEY_INVALID', 'the key is damaged', 'tls.key', cause],
  )
  assert.deepEqual(error.problems, [{ code: 'KEY_INVALID', message: 'the key is damaged', path: 'tls.key' }])
  assert.match(error.stack ?? '', /^ReloadError: the key is damaged/)
})

test('an error with several problems has the path of the first', () => {
  const problems = [
    { code: 'CERT_MISSING', message: 'a', path: 'tls.crt' },
    { code: 'KEY_MISSING', message: 'b', path: 'tls.key' },
  ] as const
  const error = new ReloadError('CERT_MISSING', 'a (and 1 more)', { problems })
  assert.deepEqual([error.path, error.problems], ['tls.crt', problems])
})

test('an error without a path or a cause has no such property', () => {
  const error = new ReloadError('CLOSED', 'closed')
  assert.equal(error.path, undefined)
  assert.ok(!('cause' in error))
  assert.deepEqual(error.problems, [{ code: 'CLOSED', message: 'closed' }])
})
