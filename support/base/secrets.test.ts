import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { inspect } from 'node:util'

import { keyPair } from '../material/keys.js'
import { SecretSearch } from './secrets.js'

const forms: Record<string, (bytes: Buffer) => string> = {
  'lower-case hex': (bytes) => bytes.toString('hex'),
  'upper-case hex': (bytes) => bytes.toString('hex').toUpperCase(),
  'hex with colons': (bytes) => (bytes.toString('hex').match(/../g) ?? []).join(':'),
  base64: (bytes) => bytes.toString('base64'),
  'base64 after one byte': (bytes) => Buffer.concat([Buffer.from('x'), bytes]).toString('base64'),
  'base64 after two bytes': (bytes) => Buffer.concat([Buffer.from('xy'), bytes]).toString('base64'),
  base64url: (bytes) => bytes.toString('base64url'),
  'an inspected buffer': (bytes) => inspect(bytes),
  'an inspected byte array': (bytes) => inspect(new Uint8Array(bytes), { maxArrayLength: 1000 }),
  'a buffer as JSON': (bytes) => JSON.stringify(bytes),
  'a piece from its middle': (bytes) => bytes.subarray(7, 25).toString('hex'),
}
for (const [name, form] of Object.entries(forms)) {
  test(`a secret is found as ${name}`, () => {
    const secret = randomBytes(32)
    const search = new SecretSearch()
    search.add('secret', secret)
    assert.match(search.findIn(`before ${form(secret)} after`) ?? '', /^secret in: /)
    assert.equal(search.findIn(`before ${form(randomBytes(32))} after`), undefined)
  })
}

for (const keyType of ['ec', 'ec-p384', 'rsa-2048', 'rsa-pss', 'ed25519'] as const) {
  test(`an ${keyType} key is found in its own PEM, and its public half is not a secret`, () => {
    const { privateKey, publicKey } = keyPair(keyType)
    const search = new SecretSearch()
    search.addKey(privateKey)
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    assert.ok(search.findIn(pem))
    assert.ok(search.findIn(JSON.stringify(pem)))
    assert.equal(search.findIn(publicKey.export({ type: 'spki', format: 'pem' }).toString()), undefined)
  })
}

test('a passphrase is found in plain text', () => {
  const search = new SecretSearch()
  search.add('passphrase', 'correct-horse-battery')
  assert.ok(search.findIn('it is "correct-horse-battery"'))
  assert.ok(search.findIn('it is horse-batt'))
})
