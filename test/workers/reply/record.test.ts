import assert from 'node:assert/strict'
import { test } from 'node:test'

import { AuthorityList } from '../../../src/workers/parse/authorities.js'
import { decodeRecord, encodeRecord, type ServedRecord } from '../../../src/workers/reply/record.js'
import { authorityFactsOf } from '../authority-facts.js'

const record: ServedRecord = {
  fingerprint: [{ path: '/etc/Zoë/tls.crt', by: 'content', value: 'ab' }],
  trustFingerprint: [{ path: '/etc/ca.crt', by: 'content', value: 'ba' }],
  ocspDigest: '',
  materialDigest: 'cd',
  rehearsalKey: 'ef',
  certificates: [],
  trust: { digest: null, authorities: 0, revocationLists: 0 },
  tickets: null,
  authorities: AuthorityList.of([authorityFactsOf({ digest: '0011', subject: 'CN=Zoë' })]),
  peerRules: null,
}

test('a record survives encoding and decoding', () => {
  const again = decodeRecord(encodeRecord(record))
  const { authorities, ...head } = again
  assert.deepEqual(
    { ...head, facts: authorities.facts },
    { ...rest(record), facts: record.authorities.facts },
  )
  assert.deepEqual(encodeRecord(again), encodeRecord(record))
})

test('trust anchors are passed on without being parsed or copied if no server requests certificates', () => {
  const garbled = AuthorityList.unpack(Buffer.from('no JSON'))
  const { authorities } = decodeRecord(encodeRecord({ ...record, authorities: garbled }))
  assert.equal(authorities.packed, garbled.packed)
  assert.throws(() => authorities.facts, SyntaxError)
})

test('a record is in shared memory, so that passing it to a worker copies nothing', () => {
  const { head, trust, authorities } = encodeRecord(record)
  for (const bytes of [head, trust, authorities]) {
    const sent = structuredClone(bytes)
    assert.ok(sent.buffer instanceof SharedArrayBuffer)
    bytes.fill(0x20)
    assert.deepEqual(sent, bytes)
  }
})

function rest({ authorities: _, ...head }: ServedRecord): object {
  return head
}
