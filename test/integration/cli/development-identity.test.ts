/*
 * The first minute with certswap: `serve` in an empty directory, then `dev rotate` beside it. The new certificate is served,
 * clients that trust the development CA trust it, and open connections stay open.
 */

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'

import { curl, withoutCurl } from '../../../support/clients/curl.js'
import { get } from '../../../support/clients/requests.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'

const QUICK = ['--auto-reload-interval', '0.1']

test('`serve` in an empty directory creates a development identity, and clients that trust its CA trust the server', async (t) => {
  const cwd = tempDir(t)
  const { port, line } = await certswapServe(t, [], { cwd })
  const ca = readFileSync(join(cwd, '.certswap', 'ca.crt'))
  const { authorizationError, fingerprint256 } = await handshake({ port, ca })
  assert.equal(authorizationError, undefined)
  assert.equal(fingerprint256, fingerprintIn(cwd))
  assert.match(JSON.stringify(await line('certificates loaded')), new RegExp(fingerprintIn(cwd)))
  const { status, body } = await get({ port, ca, agent: false })
  assert.equal(status, 200)
  const answer = JSON.parse(body) as { generation: number; fingerprint256: string }
  assert.deepEqual(
    { generation: answer.generation, fingerprint256: answer.fingerprint256 },
    { generation: 1, fingerprint256 },
  )
})

test('a second `serve` in the same directory keeps the existing identity', async (t) => {
  const cwd = tempDir(t)
  const first = await certswapServe(t, [], { cwd })
  const fingerprint256 = fingerprintIn(cwd)
  assert.equal(await first.stop(), 0)
  const second = await certswapServe(t, [], { cwd })
  assert.equal((await handshake({ port: second.port })).fingerprint256, fingerprint256)
})

test('`dev rotate` is picked up within the interval, logged with both fingerprints, and drops no connection', async (t) => {
  const cwd = tempDir(t)
  const { port, line, stop } = await certswapServe(t, QUICK, { cwd })
  const ca = readFileSync(join(cwd, '.certswap', 'ca.crt'))
  const before = fingerprintIn(cwd)
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const connection = await get({ port, ca, agent })

  const { code, stdout } = await certswap(['dev', 'rotate'], { cwd })
  assert.equal(code, 0)
  const after = fingerprintIn(cwd)
  assert.notEqual(after, before)
  assert.ok(stdout.includes(after))
  const { diff, trigger } = (await line('certificates reloaded')) as unknown as {
    diff: { fingerprint256: object }
    trigger: string
  }
  assert.deepEqual(diff.fingerprint256, { from: before, to: after })
  assert.equal(trigger, 'timer')

  const fresh = await handshake({ port, ca })
  assert.equal(fresh.fingerprint256, after)
  assert.equal(fresh.authorizationError, undefined)
  const kept = await get({ port, ca, agent })
  assert.equal(kept.localPort, connection.localPort)
  assert.equal(kept.reusedSocket, true)
  assert.equal((JSON.parse(kept.body) as { fingerprint256: string }).fingerprint256, after)
  assert.equal(await stop(), 0)
})

test('curl with the development CA trusts the certificate before and after a rotation, over HTTP/1.1 and HTTP/2', {
  skip: withoutCurl,
}, async (t) => {
  const cwd = tempDir(t)
  const { url, line } = await certswapServe(t, QUICK, { cwd })
  const ca = join(cwd, '.certswap', 'ca.crt')
  const ask = async (...more: string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await curl('--cacert', ca, ...more, url)
    assert.equal(code, 0, stderr)
    return (JSON.parse(stdout) as { fingerprint256: unknown }).fingerprint256
  }
  assert.equal(await ask(), fingerprintIn(cwd))
  await certswap(['dev', 'rotate'], { cwd })
  await line('certificates reloaded')
  assert.equal(await ask('--http1.1'), fingerprintIn(cwd))
  assert.equal(await ask('--http2'), fingerprintIn(cwd))
  const untrusting = await curl(url)
  assert.equal(untrusting.code, 60)
})

function fingerprintIn(cwd: string): string {
  return new X509Certificate(readFileSync(join(cwd, '.certswap', 'tls.crt'))).fingerprint256
}
