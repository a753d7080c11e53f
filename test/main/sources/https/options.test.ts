import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type HttpsSourceOptions, httpsSource } from '../../../../src/main/sources/https/index.js'

const url = 'https://certs.internal/identity'

const refused: Readonly<Record<string, readonly [unknown, string]>> = {
  'no URL': [{}, 'url'],
  'a URL of plain HTTP': [{ url: 'http://localhost/identity' }, 'url'],
  'a URL with a password': [{ url: 'https://me:secret-words@certs.internal/' }, 'url'],
  'a URL with a fragment': [{ hostsUrl: 'https://certs.internal/#secret-words' }, 'hostsUrl'],
  'no URL at all': [{ url: 'secret-words' }, 'url'],
  'trust anchors without an identity': [{ hostsUrl: url, trustUrl: url }, 'trustUrl'],
  'a client certificate without key': [{ url, certFile: 'tls.crt' }, 'certFile'],
  'a key without client certificate': [{ url, keyFile: 'tls.key' }, 'certFile'],
  'a name with a blank': [{ url, name: 'a b' }, 'name'],
  'an interval that is negative': [{ url, pollSeconds: -1 }, 'pollSeconds'],
  'an interval of more than a day': [{ url, pollSeconds: 86_401 }, 'pollSeconds'],
  'a limit of 0 bytes': [{ url, maxBytes: 0 }, 'maxBytes'],
  'an unknown option': [{ url, token: 'secret-words' }, 'token'],
}
for (const [what, [options, named]] of Object.entries(refused)) {
  test(`${what} is refused with the name of the option, and without its secret`, () => {
    assert.throws(
      () => httpsSource(options as HttpsSourceOptions),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'OPTIONS_INVALID')
        assert.ok(error.message.includes(`\`${named}\``), error.message)
        assert.ok(!error.message.includes('secret-words'))
        return true
      },
    )
  })
}

test('a source of hosts only refuses to deliver an identity, and one of an identity only has no hosts', async () => {
  const hosts = httpsSource({ hostsUrl: url })
  const { signal } = new AbortController()
  await assert.rejects(hosts.read({ version: null, signal }), { code: 'SOURCE_INVALID' })
  assert.equal(typeof hosts.readHost, 'function')
  assert.equal(httpsSource({ url }).readHost, undefined)
  assert.equal(httpsSource({ url }).name, 'https')
  assert.equal(httpsSource({ url, name: 'vault-1' }).name, 'vault-1')
})
