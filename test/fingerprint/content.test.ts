import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'

import { contentDigest, holdsPrivateKey } from '../../src/fingerprint/index.js'
import { createAuthority } from '../../support/material/certificates.js'
import { encryptedPkcs8, traditionalKey } from '../../support/material/key-forms.js'
import { keyPair } from '../../support/material/keys.js'

const leaf = createAuthority().issue()
const rsa = keyPair('rsa-2048')

test('a file without a private key has the SHA-256 that sha256sum prints', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from(leaf.chainPem), leaf.certDer]) {
    assert.equal(contentDigest(bytes), createHash('sha256').update(bytes).digest('hex'))
    assert.equal(holdsPrivateKey(bytes), false)
  }
})

for (const [form, key] of [
  ['PKCS#8', leaf.keyPem],
  ['encrypted PKCS#8', encryptedPkcs8(leaf, 'secret')],
  ['SEC1', traditionalKey(leaf)],
  ['PKCS#1', traditionalKey(rsa)],
  ['encrypted PKCS#1', traditionalKey(rsa, 'secret')],
] as const) {
  test(`a key in ${form} is not part of the digest, wherever it is in the file`, () => {
    const { certPem, chainPem } = leaf
    for (const [head, tail] of [
      ['', chainPem],
      [chainPem, ''],
      [certPem, chainPem],
    ] as const) {
      const bytes = Buffer.from(head + key.trimEnd() + tail)
      assert.equal(contentDigest(bytes), contentDigest(Buffer.from(head + tail)))
      assert.equal(holdsPrivateKey(bytes), true)
    }
  })
}

test('an incomplete key is not part of the digest either', () => {
  const whole = contentDigest(Buffer.from(leaf.chainPem + leaf.keyPem.trimEnd()))
  for (const length of [30, 60, leaf.keyPem.length - 10]) {
    assert.equal(contentDigest(Buffer.from(leaf.chainPem + leaf.keyPem.slice(0, length))), whole)
  }
})

test('a view into a larger buffer gives the digest of the view', () => {
  const slab = Buffer.from(`${leaf.keyPem}${leaf.certPem}`)
  const view = new Uint8Array(slab.buffer, slab.byteOffset + leaf.keyPem.length, leaf.certPem.length)
  assert.equal(contentDigest(view), contentDigest(Buffer.from(leaf.certPem)))
})
