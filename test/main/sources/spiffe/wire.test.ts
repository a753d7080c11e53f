import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { decodeSvidResponse } from '../../../../src/main/sources/spiffe/wire.js'
import {
  type AgentMessage,
  encodeMessage,
  field,
  varint,
} from '../../../../support/servers/workload-agent.js'

const bytes = fc.uint8Array({ maxLength: 300 })
const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const svid = fc.record({ spiffeId: text, chain: bytes, key: bytes, bundle: bytes, hint: text })
const messages: fc.Arbitrary<AgentMessage> = fc.record({
  svids: fc.array(svid, { maxLength: 4 }),
  crl: fc.array(bytes, { maxLength: 3 }),
  federated: fc.dictionary(fc.domain(), bytes, { maxKeys: 4, noNullPrototype: true }),
})

test('every message of the protocol is read as it was written', () => {
  fc.assert(
    fc.property(messages, (message) => {
      const { svids, crl, federatedBundles } = decodeSvidResponse(encodeMessage(message))
      assert.deepEqual(svids.map(plain), message.svids?.map(plain))
      assert.deepEqual(crl.map(hex), message.crl?.map(hex))
      assert.deepEqual(
        Object.fromEntries([...federatedBundles].map(([id, bundle]) => [id, hex(bundle)])),
        Object.fromEntries(Object.entries(message.federated ?? {}).map(([id, bundle]) => [id, hex(bundle)])),
      )
    }),
  )
})

test('any bytes are read or refused with a RangeError that shows none of them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (input) => {
      try {
        decodeSvidResponse(input)
      } catch (error) {
        assert.ok(error instanceof RangeError)
        assert.match(error.message, /^[a-z0-9 -]+(?:UTF-8)?$|^a number has more than 64 bits$/)
      }
    }),
  )
})

test('a truncated message is refused, or is a message with fewer fields', () => {
  fc.assert(
    fc.property(messages, fc.nat(), (message, cut) => {
      const whole = encodeMessage(message)
      try {
        const { svids } = decodeSvidResponse(whole.subarray(0, cut % (whole.length + 1)))
        assert.ok(svids.length <= (message.svids?.length ?? 0))
      } catch (error) {
        assert.ok(error instanceof RangeError)
      }
    }),
  )
})

test('unknown fields of every type are ignored, and of a repeated single field the last counts', () => {
  const extra = [
    Buffer.concat([varint(9 * 8), varint(300)]),
    Buffer.concat([varint(9 * 8 + 1), Buffer.alloc(8)]),
    Buffer.concat([varint(9 * 8 + 5), Buffer.alloc(4)]),
    field(9, Buffer.from('later')),
  ]
  const inner = Buffer.concat([field(5, Buffer.from('first')), ...extra, field(5, Buffer.from('second'))])
  const { svids } = decodeSvidResponse(Buffer.concat([...extra, field(1, inner), ...extra]))
  assert.equal(svids[0]?.hint, 'second')
})

test('a message with a wrong type, a group, a field number of 0 or too many entries is refused', () => {
  const refused = (input: Uint8Array, message: RegExp) =>
    assert.throws(() => decodeSvidResponse(input), { name: 'RangeError', message })
  refused(Buffer.concat([varint(1 * 8), varint(1)]), /another type/)
  refused(varint(1 * 8 + 3), /unknown type/)
  refused(Buffer.concat([varint(2), varint(0)]), /no valid number/)
  refused(Buffer.concat([varint(1 * 8 + 2), varint(5)]), /past the end/)
  refused(Buffer.concat([varint(1 * 8 + 2), Buffer.alloc(11, 0xff)]), /64 bits/)
  refused(field(1, field(1, Buffer.from([0xff]))), /UTF-8/)
  refused(Buffer.concat(Array.from({ length: 257 }, () => field(1, new Uint8Array()))), /256 identities/)
})

function plain(one: object): unknown {
  return Object.fromEntries(
    Object.entries(one).map(([name, value]) => [name, value instanceof Uint8Array ? hex(value) : value]),
  )
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
