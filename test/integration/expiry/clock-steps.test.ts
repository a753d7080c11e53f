/*
 * A clock that is set 100 days forward or back, as after a wrong start or a long suspension. This went unreported, because the
 * watch slept by the monotonic clock, and because nothing compared the time with the notBefore of the served certificates. The
 * program runs under libfaketime here, including its worker threads.
 */

import assert from 'node:assert/strict'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { StatusView } from '../../../src/main/control/routes/status.js'
import { eventually } from '../../../support/base/eventually.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { fromNow } from '../../../support/engine/ending-site.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswapServe } from '../../../support/processes/program.js'
import { request } from '../../../support/servers/control.js'

const DAY = 86_400_000

const library = libraryOf('libfaketimeMT.so.1')
const skip = library === null ? 'needs faketime: apt-get install faketime' : false

test('after a step of 100 days forward, status and reload report everything that has expired, and clients are refused; after the step back, all is valid', {
  skip,
}, async (t) => {
  const { set, connect, codes, serving } = await servedByClock(t)
  await connect()
  assert.deepEqual(await codes('GET', '/status'), [])

  set('+100d')
  const all = ['CA_EXPIRED', 'CERT_EXPIRED', 'CRL_EXPIRED']
  await eventually('the warnings', async () => (await codes('GET', '/status')).length === 3)
  assert.deepEqual(await codes('GET', '/status'), all)
  assert.deepEqual(await codes('POST', '/reload_certs'), all)
  assert.deepEqual(await codes('POST', '/reload_certs?dry_run=1'), all)
  await assert.rejects(connect())
  for (const message of [
    'the served certificate has expired; clients refuse it',
    'a trust anchor has expired; peers with its certificates are refused',
    'a revocation list has expired; peers of its CA are refused',
  ]) {
    await serving.line(message)
  }

  set('+0')
  await eventually('no warning', async () => (await codes('GET', '/status')).length === 0)
  await serving.line('expired material is valid again: the clock was set back')
  await connect()
})

test('after a step of 100 days back, clients are refused because of a list that is not valid yet, and status, reload and log report it', {
  skip,
}, async (t) => {
  const { set, connect, codes, serving } = await servedByClock(t)
  await connect()

  set('-100d')
  // The leaf and the anchor are not valid yet either.
  const all = ['CERT_NOT_YET_VALID', 'CERT_NOT_YET_VALID', 'CRL_NOT_YET_VALID']
  await eventually('the warnings', async () => (await codes('GET', '/status')).length === 3)
  assert.deepEqual(await codes('GET', '/status'), all)
  assert.deepEqual(await codes('POST', '/reload_certs'), all)
  await assert.rejects(connect())
  await serving.line(
    'served material is not valid yet: check the clock of this machine, which may have been set back',
  )

  set('+0')
  await eventually('no warning', async () => (await codes('GET', '/status')).length === 0)
  await serving.line('served material has become valid')
  await connect()
})

/** `certswap serve` under a clock that the test sets, with a client that it accepts. */
async function servedByClock(t: TestContext) {
  const dir = tempDir(t)
  const authority = createAuthority({ notAfter: fromNow(95 * DAY) })
  const files = writePair(dir, authority.issue({ notAfter: fromNow(90 * DAY) }))
  const [ca, crl, clock] = ['ca.crt', 'list.crl', 'clock'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(ca, authority.certPem)
  writeFileSync(crl, authority.crl())
  const set = (offset: string) => writeFileSync(clock, offset)
  set('+0')
  const material = ['--cert', files.cert, '--key', files.key, '--ca', ca, '--crl', crl, '--request-cert']
  const socket = join(dir, 'control.sock')
  const serving = await certswapServe(
    t,
    [...material, '--control', socket, '--auto-reload-interval', '3600'],
    {
      cwd: dir,
      env: {
        LD_PRELOAD: library as string,
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_CACHE_DURATION: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        NO_FAKE_STAT: '1',
      },
    },
  )
  const client = authority.issue({ names: ['client'] })
  const { port } = serving
  const connect = () =>
    handshake({
      port,
      cert: client.chainPem,
      key: client.keyPem,
      alpn: ['http/1.1'],
      confirm: true,
      waitForSession: false,
    })
  const codes = async (method: string, path: string) => {
    const { json } = await request(socket, path, { method })
    const all = (json as StatusView).warnings.map(({ code }) => code)
    return all.filter((code) => /_(EXPIRED|NOT_YET_VALID)$/.test(code)).sort()
  }
  return { set, connect, codes, serving }
}

/** The path in Debian. */
function libraryOf(name: string): string | null {
  if (process.platform !== 'linux') return null
  const found = readdirSync('/usr/lib')
    .map((triplet) => join('/usr/lib', triplet, 'faketime', name))
    .find((path) => existsSync(path))
  return found ?? null
}
