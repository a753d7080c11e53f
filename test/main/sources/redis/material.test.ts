import assert from 'node:assert/strict'
import { test } from 'node:test'

import { materialOf } from '../../../../src/main/sources/redis/material.js'

const subject = { kind: 'identity', name: 'web' } as const
const pair = { version: 'v1', cert: 'CERT', key: 'KEY' }

test('several pairs, anchors and lists become one delivery, and unknown fields are ignored', () => {
  const material = read({
    ...pair,
    'bundle.2': 'B',
    'cert.4': 'C4',
    'key.4': 'K4',
    ca: 'CA',
    crl: 'CRL',
    note: 'x',
  })
  assert.ok(material.kind === 'material')
  const { delivery, secrets } = material
  assert.deepEqual(
    delivery.pairs.map((one) => Object.values(one).map(String)),
    [['CERT', 'KEY'], ['B'], ['C4', 'K4']],
  )
  assert.deepEqual([delivery.ca, delivery.crl].map(String), ['CA', 'CRL'])
  assert.equal(delivery.revision, undefined)
  assert.deepEqual(secrets.map(String), ['KEY', 'B', 'K4'])
})

test('an empty field `ca` or `crl` states that there is none, and an absent one states nothing', () => {
  const empty = read({ ...pair, ca: '', crl: '' })
  assert.ok(empty.kind === 'material')
  assert.deepEqual([empty.delivery.ca, empty.delivery.crl], [[], []])
  const absent = read(pair)
  assert.ok(absent.kind === 'material')
  assert.deepEqual([absent.delivery.ca, absent.delivery.crl], [undefined, undefined])
})

test('a revision is a whole number, also above 2^53', () => {
  const material = read({ ...pair, revision: '9007199254740993' })
  assert.ok(material.kind === 'material')
  assert.equal(material.delivery.revision, 9007199254740993n)
})

test('only the field `withdrawn` withdraws, whatever else the hash has', () => {
  assert.deepEqual(read({ ...pair, withdrawn: '1', revision: '5' }), { kind: 'withdrawn', revision: 5n })
  assert.deepEqual(read({ version: 'v1', withdrawn: '' }), { kind: 'withdrawn', revision: null })
})

const refused: Record<string, Record<string, string>> = {
  'no version': { cert: 'C', key: 'K' },
  'an empty version': { ...pair, version: '' },
  'a version with a line feed': { ...pair, version: 'a\nb' },
  'a version that is too long': { ...pair, version: 'v'.repeat(257) },
  'a revision that is no number': { ...pair, revision: 'seven' },
  'a negative revision': { ...pair, revision: '-1' },
  'a revision of more than 63 bits': { ...pair, revision: '9223372036854775808' },
  'no pair': { version: 'v1', ca: 'CA' },
  'a certificate without its key': { version: 'v1', cert: 'C' },
  'a key without its certificate': { version: 'v1', key: 'K' },
  'half of a second pair': { ...pair, 'key.2': 'K' },
  'a bundle and also a certificate': { version: 'v1', bundle: 'B', cert: 'C' },
  'a certificate above 1 MiB': { ...pair, cert: 'x'.repeat(1024 * 1024 + 1) },
  'anchors above 16 MiB': { ...pair, ca: 'x'.repeat(16 * 1024 * 1024 + 1) },
}
for (const [what, fields] of Object.entries(refused)) {
  test(`a hash with ${what} is refused`, () => {
    assert.throws(() => read(fields), { code: 'SOURCE_INVALID', message: /^the identity web in Redis / })
  })
}

function read(fields: Record<string, string>) {
  return materialOf(
    new Map(Object.entries(fields).map(([name, text]) => [name, Buffer.from(text)])),
    subject,
    null,
  )
}
