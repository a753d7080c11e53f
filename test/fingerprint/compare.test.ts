import assert from 'node:assert/strict'
import { test } from 'node:test'

import { changedPaths, type Fingerprint, sameFingerprint } from '../../src/fingerprint/index.js'

const before: Fingerprint = [
  { path: 'tls.crt', by: 'content', value: '1' },
  { path: 'both.pem', by: 'content', value: '2' },
  { path: 'both.pem', by: 'stamp', value: '3' },
]

test('changed, added and removed paths are named, sorted', () => {
  const after: Fingerprint = [
    { path: 'tls.crt', by: 'content', value: 'other' },
    { path: 'new.pem', by: 'stamp', value: '4' },
  ]
  assert.deepEqual(changedPaths(before, after), ['both.pem', 'new.pem', 'tls.crt'])
})

test('a file with two rules is named if one of them detects a change, and once if both do', () => {
  const [crt, content, stamp] = before as [Fingerprint[0], Fingerprint[0], Fingerprint[0]]
  const moved = { ...stamp, value: 'moved' }
  assert.deepEqual(changedPaths(before, [crt, content, moved]), ['both.pem'])
  assert.deepEqual(changedPaths(before, [crt, { ...content, value: 'written' }, moved]), ['both.pem'])
})

test('the rule is part of the fingerprint: the same value by another rule is a change', () => {
  const content: Fingerprint = [{ path: 'f', by: 'content', value: '1' }]
  const stamp: Fingerprint = [{ path: 'f', by: 'stamp', value: '1' }]
  assert.deepEqual(changedPaths(content, stamp), ['f'])
})

test('nothing after the first difference is compared', () => {
  const [crt, ...others] = before
  function* after() {
    yield { ...(crt as Fingerprint[0]), value: 'renewed' }
    assert.fail('the next file was read')
  }
  assert.equal(sameFingerprint(before, after()), false)
  assert.equal(sameFingerprint(before, others), false, 'one file is gone')
  assert.equal(sameFingerprint(before, [...before, ...before]), true, 'a file may be named twice')
})
