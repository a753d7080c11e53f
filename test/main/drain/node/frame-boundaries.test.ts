import assert from 'node:assert/strict'
import test from 'node:test'

import fc from 'fast-check'

import { FrameBoundaries } from '../../../../src/main/drain/node/frame-boundaries.js'

const frames = fc.array(fc.nat(40), { minLength: 1, maxLength: 8 })
const cuts = fc.array(fc.integer({ min: 1, max: 13 }), { minLength: 1, maxLength: 40 })

test('the first boundary of each piece is found, wherever the bytes are cut', () => {
  fc.assert(
    fc.property(frames, cuts, (payloads, sizes) => {
      const stream = Buffer.concat(payloads.map(frame))
      const ends = endsOf(payloads)
      const boundaries = new FrameBoundaries()
      let from = 0
      for (let i = 0; from < stream.length; i++) {
        const to = Math.min(stream.length, from + (sizes[i % sizes.length] as number))
        const expected = [0, ...ends].find((end) => end >= from && end <= to)
        assert.equal(boundaries.here, from === 0 || ends.includes(from))
        assert.equal(
          boundaries.take(stream.subarray(from, to)),
          expected === undefined ? -1 : expected - from,
        )
        from = to
      }
      assert.equal(boundaries.here, true)
    }),
  )
})

test('a frame of the maximum length is followed to its end', () => {
  const boundaries = new FrameBoundaries()
  assert.equal(boundaries.take(frame(0xff_ffff).subarray(0, 9)), 0)
  assert.equal(boundaries.take(Buffer.alloc(0xff_fffe)), -1)
  assert.equal(boundaries.here, false)
  assert.equal(boundaries.take(Buffer.alloc(1)), 1)
  assert.equal(boundaries.here, true)
})

function frame(payloadBytes: number): Buffer {
  const bytes = Buffer.alloc(9 + payloadBytes, 0xff)
  bytes.writeUIntBE(payloadBytes, 0, 3)
  return bytes
}

function endsOf(payloads: readonly number[]): number[] {
  let end = 0
  return payloads.map((bytes) => {
    end += 9 + bytes
    return end
  })
}
