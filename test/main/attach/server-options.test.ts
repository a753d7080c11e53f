import assert from 'node:assert/strict'
import { test } from 'node:test'

import { assertExtra, peersIn } from '../../../src/main/attach/server-options.js'

test('options that belong to the server are accepted', () => {
  assertExtra({})
  assertExtra({
    ALPNProtocols: ['h2'],
    allowHTTP1: true,
    handshakeTimeout: 5,
    requestCert: true,
    key: undefined,
  })
})

test('material and TLS options are refused, and all of them are named', () => {
  const owned = [
    'ca',
    'cert',
    'key',
    'pfx',
    'passphrase',
    'crl',
    'dhparam',
    'ciphers',
    'sigalgs',
    'ecdhCurve',
  ]
  owned.push(
    'minVersion',
    'maxVersion',
    'secureOptions',
    'secureProtocol',
    'honorCipherOrder',
    'secureContext',
  )
  owned.push('sessionIdContext', 'sessionTimeout', 'ticketKeys')
  const extra = Object.fromEntries(owned.map((name) => [name, 'x']))
  assert.throws(
    () => assertExtra(extra),
    ({ code, message }: Error & { code: string }) => {
      assert.equal(code, 'OPTIONS_INVALID')
      for (const name of owned) assert.ok(message.includes(`\`${name}\``), name)
      return true
    },
  )
  for (const name of owned) assert.throws(() => assertExtra({ [name]: 'x' }), { code: 'OPTIONS_INVALID' })
})

test('only the parts of the peer policy that the server itself sets are its own', () => {
  assert.deepEqual(peersIn({}), {})
  assert.deepEqual(peersIn({ requestCert: undefined }), {})
  assert.deepEqual(peersIn({ requestCert: true }), { requestCert: true })
  assert.deepEqual(peersIn({ requestCert: false, rejectUnauthorized: false }), {
    requestCert: false,
    rejectUnauthorized: false,
  })
})
