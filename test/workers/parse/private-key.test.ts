import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ProblemCode } from '../../../src/workers/base/problem.js'
import { DerivationBudget } from '../../../src/workers/formats/derivation-budget.js'
import { splitPem } from '../../../src/workers/formats/pem.js'
import { privateKeysOf } from '../../../src/workers/parse/private-key.js'
import { selfSigned } from '../../../support/material/certificates.js'
import { integer, octets, oid, pem, sequence } from '../../../support/material/der.js'
import { csr, encryptedPkcs8, publicKeyPem, traditionalKey } from '../../../support/material/key-forms.js'
import { keyPair } from '../../../support/material/keys.js'
import { problemOf } from '../../../support/worker/problems.js'

const pair = keyPair()
const rsa = keyPair('rsa-2048')
const plain = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const PASSPHRASE = 'correct horse Zoë'

for (const [form, text, expected, passphrase] of [
  ['PKCS#8', plain, pair],
  ['SEC1', traditionalKey(pair), pair],
  ['PKCS#1', traditionalKey(rsa), rsa],
  ['encrypted PKCS#8', encryptedPkcs8(pair, PASSPHRASE), pair, PASSPHRASE],
  ['PKCS#8 encrypted with scrypt', encryptedPkcs8(rsa, PASSPHRASE, { kdf: 'scrypt' }), rsa, PASSPHRASE],
  ['encrypted SEC1', traditionalKey(pair, PASSPHRASE), pair, PASSPHRASE],
  ['encrypted PKCS#1', traditionalKey(rsa, PASSPHRASE), rsa, PASSPHRASE],
  ['PKCS#8 beside a passphrase that it does not need', plain, pair, PASSPHRASE],
] as const) {
  test(`a key in ${form} is read`, () => {
    const keys = keysIn(text, passphrase)
    assert.equal(keys.length, 1)
    assert.ok(keys[0]?.object.equals(expected.privateKey))
    assert.equal(keys[0]?.plain, text === plain ? plain : null)
  })
}

test('unencrypted PKCS#8 is marked to be passed on unchanged, without the rest of its file', () => {
  const text = `Bag Attributes\r\n${plain.replaceAll('\n', '\r\n')}${publicKeyPem(rsa)}`
  assert.deepEqual(
    keysIn(text).map((key) => key.plain),
    [plain],
  )
})

test('a file with several keys gives all of them, and the rest of it is ignored', () => {
  const text = selfSigned().certPem + plain + publicKeyPem(rsa) + traditionalKey(rsa)
  const keys = keysIn(text)
  assert.deepEqual(
    keys.map(({ object }) => object.asymmetricKeyType),
    ['ec', 'rsa'],
  )
})

test('a key that begins with its curve parameters is read, as `openssl ecparam -genkey` writes it', () => {
  const parameters = pem('EC PARAMETERS', oid('1.2.840.10045.3.1.7'))
  assert.ok(keysIn(parameters + traditionalKey(pair))[0]?.object.equals(pair.privateKey))
})

const damaged = plain.replace(/[A-Za-z0-9+/]{20}\n/, `${'A'.repeat(20)}\n`)
const argon = pem(
  'ENCRYPTED PRIVATE KEY',
  sequence(sequence(oid('1.2.3.4.5'), integer(1)), octets(Buffer.alloc(64))),
)

const refused: [what: string, code: ProblemCode, text: string, passphrase?: string][] = [
  ['an empty file', 'KEY_MISSING', ''],
  ['a certificate', 'KEY_MISSING', selfSigned().certPem],
  ['a public key', 'KEY_MISSING', publicKeyPem(pair)],
  ['a request', 'KEY_MISSING', csr(pair)],
  ['a damaged key', 'KEY_INVALID', damaged],
  ['a block of another kind', 'KEY_INVALID', pem('PRIVATE KEY', Buffer.from('no key at all'))],
  ['an encrypted key without a passphrase', 'KEY_PASSPHRASE_REQUIRED', encryptedPkcs8(pair, PASSPHRASE)],
  ['an encrypted SEC1 key without a passphrase', 'KEY_PASSPHRASE_REQUIRED', traditionalKey(pair, PASSPHRASE)],
  ['another passphrase', 'KEY_PASSPHRASE_WRONG', encryptedPkcs8(pair, PASSPHRASE), 'wrong'],
  ['another passphrase for SEC1', 'KEY_PASSPHRASE_WRONG', traditionalKey(pair, PASSPHRASE), 'wrong'],
  ['an encryption that OpenSSL does not know', 'KEY_INVALID', argon, PASSPHRASE],
  [
    'a key derivation with more memory than OpenSSL allows',
    'KEY_INVALID',
    encryptedPkcs8(pair, PASSPHRASE, { kdf: 'scrypt', cost: 32_768 }),
    PASSPHRASE,
  ],
]

for (const [what, code, text, passphrase] of refused) {
  test(`${what} is refused as ${code}, and no part of it is revealed`, () => {
    const problem = problemOf(() => keysIn(text, passphrase))
    assert.deepEqual({ code: problem.code, path: problem.path }, { code, path: 'tls.key' })
    for (const line of text.split('\n').filter((line) => line.length > 8 && !line.startsWith('-----'))) {
      assert.ok(!problem.message.includes(line))
    }
    if (passphrase !== undefined) assert.ok(!problem.message.includes(passphrase))
  })
}

test('the content of a file without a key is described in words', () => {
  const { message } = problemOf(() => keysIn(selfSigned().certPem + publicKeyPem(pair) + csr(pair)))
  for (const kind of ['a certificate', 'a public key', 'a certificate request']) {
    assert.ok(message.includes(kind), message)
  }
})

function keysIn(text: string, passphrase?: string) {
  const secret = passphrase === undefined ? null : Buffer.from(passphrase)
  return privateKeysOf(splitPem(Buffer.from(text), 'tls.key'), 'tls.key', secret, new DerivationBudget()).keys
}
