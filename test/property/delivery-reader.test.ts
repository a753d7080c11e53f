import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { sameFingerprint } from '../../src/fingerprint/index.js'
import { toPem } from '../../src/workers/formats/pem.js'
import { pemBytes } from '../../src/workers/formats/pem-bytes.js'
import type { DeliveredItem } from '../../src/workers/protocol/delivery.js'
import { deliveryReader } from '../../src/workers/read/delivery-reader.js'
import type { MaterialReader } from '../../src/workers/read/material-reader.js'

const noFiles: MaterialReader = {
  looksUnchanged: (record) => record.length === 0,
  read: () => ({
    fingerprint: [],
    fingerprintOf: () => [],
    itemsOf: () => [],
    anchorPlaces: [],
    warnOfAccess: () => {},
    wipe: () => {},
  }),
}

const item = (role: DeliveredItem['role'], bytes: Uint8Array): DeliveredItem => ({
  role,
  id: `own:${role}`,
  bytes,
})
const readerOf = (items: readonly DeliveredItem[], version = '1') =>
  deliveryReader({ source: 'own', version, items }, noFiles)

/** A SEQUENCE with any content. */
const element = fc
  .uint8Array({ maxLength: 300 })
  .map((content) => Buffer.concat([head(content.length), content]))

test('PEM made without strings equals PEM made with strings', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), (der) => {
      assert.equal(Buffer.from(pemBytes('PRIVATE KEY', der)).toString(), toPem('PRIVATE KEY', der))
    }),
  )
})

test('concatenated DER becomes one PEM block for each element', () => {
  fc.assert(
    fc.property(fc.array(element, { minLength: 1, maxLength: 5 }), (elements) => {
      const set = readerOf([item('cert', Buffer.concat(elements))]).read()
      assert.ok(!Array.isArray(set))
      assert.equal(
        set.itemsOf('cert')[0]?.bytes.toString(),
        elements.map((one) => toPem('CERTIFICATE', one)).join(''),
      )
    }),
  )
})

test('any bytes are read, or refused with a code and without their content', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
      const set = readerOf([item('key', bytes)]).read()
      if (!Array.isArray(set)) return set.wipe()
      assert.deepEqual(
        set.map(({ code, path }) => [code, path]),
        [['PEM_INVALID', 'own:key']],
      )
    }),
  )
})

test('a set is unchanged exactly while its public bytes and its version are the same', () => {
  const bytes = fc
    .uint8Array({ minLength: 1, maxLength: 50 })
    .map((given) => Buffer.from(given.map((one) => one % 0x30)))
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.constantFrom('1', '2'), (cert, otherCert, key, version) => {
      const record = entriesOf([item('cert', cert), item('key', key)], '1')
      const other = [item('cert', otherCert), item('key', Buffer.from('another'))]
      const isSame = cert.equals(otherCert) && version === '1'
      assert.equal(readerOf(other, version).looksUnchanged(record), isSame)
      assert.equal(sameFingerprint(record, entriesOf(other, version)), isSame)
    }),
  )
})

test('an item that was removed or added is a change', () => {
  const [cert, key] = [item('cert', Buffer.from('a')), item('key', Buffer.from('b'))]
  const ca = item('ca', Buffer.from('c'))
  const record = entriesOf([cert, key, ca], '1')
  assert.ok(readerOf([cert, key, ca]).looksUnchanged(record))
  assert.ok(!readerOf([cert, key]).looksUnchanged(record))
  assert.ok(
    !readerOf([cert, key]).looksUnchanged([
      ...record,
      { path: '/etc/tls/ca.crt', by: 'content', value: 'x' },
    ]),
  )
  assert.ok(!readerOf([cert, key, ca, { ...ca, id: 'own:ca[2]' }]).looksUnchanged(record))
})

function entriesOf(items: readonly DeliveredItem[], version: string) {
  const set = readerOf(items, version).read()
  assert.ok(!Array.isArray(set))
  return set.fingerprint
}

function head(length: number): Buffer {
  if (length < 128) return Buffer.from([0x30, length])
  return length < 256
    ? Buffer.from([0x30, 0x81, length])
    : Buffer.from([0x30, 0x82, length >> 8, length & 255])
}
