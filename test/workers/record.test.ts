import assert from 'node:assert/strict'
import { test } from 'node:test'

import { decodeRecord, encodeRecord, type ServedRecord } from '../../src/workers/record.js'

const record: ServedRecord = {
  fingerprint: [{ path: '/etc/Zoë/tls.crt', by: 'content', value: 'ab' }],
  identity: 'cd',
  likeness: 'ef',
  certificates: [],
  trust: { digest: null, authorities: 0, revocationLists: 0 },
  authorities: [{ fingerprint256: '00:11', subject: 'CN=Zoë', name: '', ca: true, notAfter: 0 }],
}

test('a record comes back as it was', () => {
  assert.deepEqual(decodeRecord(encodeRecord(record)), record)
})

test('a record lies in shared memory, so that handing it to a worker copies nothing', () => {
  const bytes = encodeRecord(record)
  assert.ok(bytes.buffer instanceof SharedArrayBuffer)
  const sent = structuredClone(bytes)
  assert.ok(sent.buffer instanceof SharedArrayBuffer)
  bytes.fill(0x20)
  assert.throws(() => decodeRecord(sent), SyntaxError)
})
