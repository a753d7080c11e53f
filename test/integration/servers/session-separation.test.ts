/*
 * Servers of one engine with different requirements for their clients never accept each other's TLS sessions.
 *
 * Guards against an authentication bypass: with a shared context or shared ticket keys, Node 20 and 22 accept a session of a
 * server that requests no certificate on one that requires it, without a certificate (node#35317, node#64677).
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { assertRefused } from '../../../support/clients/refusal.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const authority = createAuthority()
const leaf = authority.issue()
const identity = { cert: leaf.certPem, key: leaf.keyPem }

const policies = {
  'requests no certificate': { requestCert: false },
  'requests a certificate but does not require it': { requestCert: true, rejectUnauthorized: false },
  'requires a certificate': { requestCert: true },
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`three servers with different client requirements resume only their own ${version} sessions, before and after a reload`, async (t) => {
    const dir = tempDir(t)
    const paths = writePair(dir, authority.issue())
    const ca = join(dir, 'ca.pem')
    overwriteInPlace(ca, authority.certPem)
    const engine = await startEngine(t, { ...paths, ca })
    const only = { minVersion: version, maxVersion: version, confirm: true, ...identity }
    const ports = await Promise.all(Object.values(policies).map((extra) => serveEcho(t, engine, extra)))
    const sessions = await Promise.all(
      ports.map(async (port) => (await handshake({ ...only, port })).session),
    )

    for (const renewed of [false, true]) {
      if (renewed) {
        writePair(dir, authority.issue())
        assertApplied(await engine.reload())
      }
      for (const [from, session] of sessions.entries()) {
        for (const [to, port] of ports.entries()) {
          const names = `a session of the server that ${Object.keys(policies)[from]} at the one that ${Object.keys(policies)[to]}`
          assert.equal((await handshake({ ...only, port, session })).reused, from === to, names)
        }
      }
    }
  })

  test(`a ${version} session of a server that requests no certificate is not resumed by one that requires it`, async (t) => {
    const dir = tempDir(t)
    const ca = join(dir, 'ca.pem')
    overwriteInPlace(ca, authority.certPem)
    const engine = await startEngine(t, { ...writePair(dir, authority.issue()), ca })
    const only = { minVersion: version, maxVersion: version }
    const [open, asking] = [
      await serveEcho(t, engine),
      await serveEcho(t, engine, { requestCert: true, rejectUnauthorized: false }),
    ]
    const closed = await serveEcho(t, engine, { requestCert: true })
    for (const port of [open, asking]) {
      const { session } = await handshake({ ...only, port })
      assert.equal((await handshake({ ...only, port, session })).reused, true)
      await assertRefused({ ...only, port: closed, session })
    }
  })
}
