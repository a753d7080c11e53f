import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'

import { childrenOf, contentOf, nodeAt } from '../../../src/workers/formats/der.js'
import { explicitCurve } from '../../../src/workers/formats/explicit-curve.js'
import { integer, nothing, octets, sequence } from '../../../support/material/der.js'

const CURVES = { 'P-256': '1.2.840.10045.3.1.7', 'P-384': '1.3.132.0.34', 'P-521': '1.3.132.0.35' }

for (const [name, id] of Object.entries(CURVES)) {
  test(`${name} is recognized with explicit parameters, with and without seed and cofactor, and with a compressed generator`, () => {
    const whole = fieldsOf(parametersOf(name))
    const [version, field, curve, generator, order] = whole as [Buffer, Buffer, Buffer, Buffer, Buffer]
    const [a, b] = fieldsOf(curve) as [Buffer, Buffer]
    for (const domain of [
      sequence(...whole),
      sequence(version, field, sequence(a, b), generator, order),
      sequence(version, field, curve, octets(compressed(generator)), order),
    ]) {
      assert.equal(explicitCurve(domain, nodeAt(domain, 0)), id)
    }
  })

  test(`parameters of ${name} with another number, or another generator, are no known curve`, () => {
    const whole = parametersOf(name)
    const version = nodeAt(whole, 0).from + 2
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      const found = recognized(changed)
      // OpenSSL ignores the version of the parameters.
      if (at !== version) assert.equal(found, null, `byte ${at}`)
      const cut = recognized(whole.subarray(0, at))
      assert.equal(cut, null, `${at} bytes`)
    }
  })
}

test('a curve without a NIST name, an empty sequence and other types are no known curve', () => {
  for (const der of [parametersOf('secp256k1'), sequence(), integer(1), nothing()]) {
    assert.equal(recognized(der), null)
  }
})

function recognized(der: Buffer): string | null {
  let node: ReturnType<typeof nodeAt>
  try {
    node = nodeAt(der, 0)
  } catch {
    return null
  }
  return explicitCurve(der, node)
}

/** ECParameters as OpenSSL writes them. */
function parametersOf(namedCurve: string): Buffer {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve, paramEncoding: 'explicit' })
  const [algorithm] = fieldsOf(publicKey.export({ type: 'spki', format: 'der' })) as [Buffer]
  return fieldsOf(algorithm)[1] as Buffer
}

/** The elements inside an element, each with its head. */
function fieldsOf(der: Buffer): Buffer[] {
  let from = nodeAt(der, 0).from
  return childrenOf(der, nodeAt(der, 0)).map(({ to }) => {
    const field = der.subarray(from, to)
    from = to
    return field
  })
}

function compressed(generator: Buffer): Buffer {
  const point = contentOf(generator, nodeAt(generator, 0))
  const half = (point.length - 1) / 2
  return Buffer.concat([Buffer.of(0x02 + ((point.at(-1) ?? 0) % 2)), point.subarray(1, 1 + half)])
}
