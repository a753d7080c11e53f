/*
 * Node issues and reads session tickets with a server's default context, whatever the SNI context is, so hosts could readmit a
 * client of a removed CA (node#64584). With SNI hosts, trust is enforced as without.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { assertRefused } from '../../../support/clients/refusal.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, serveEcho } from '../../../support/engine/engines.js'
import { hostSite } from '../../../support/engine/host-site.js'
import { overwriteInPlace } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const [authorityA, authorityB] = [createAuthority(), createAuthority()]
const [clientA, clientB] = [authorityA, authorityB].map((authority) => {
  const { certPem: cert, keyPem: key } = authority.issue({ extendedKeyUsage: 'client' })
  return { cert, key, confirm: true }
}) as [ClientIdentity, ClientIdentity]

interface ClientIdentity {
  readonly cert: string
  readonly key: string
  readonly confirm: true
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`the client of a removed CA is neither admitted nor resumed at an SNI host, nor across servers, over ${version}`, async (t) => {
    const ca = join(tempDir(t), 'ca.pem')
    overwriteInPlace(ca, authorityA.certPem + authorityB.certPem)
    const { engine, put } = await hostSite(t, { 'a.test': {}, 'b.test': {} }, { ca })
    const ports = [
      await serveEcho(t, engine, { requestCert: true }),
      await serveEcho(t, engine, { requestCert: true }),
    ]
    const only = { minVersion: version, maxVersion: version }
    const [port = 0] = ports
    const sessions = await Promise.all(
      ['a.test', 'localhost'].map((servername) => handshake({ ...only, ...clientA, port, servername })),
    )
    await assertRefused({ ...only, port, servername: 'a.test' })
    const kept = await handshake({ ...only, ...clientB, port, servername: 'a.test' })

    overwriteInPlace(ca, authorityB.certPem)
    assertApplied(await engine.reload())
    for (const to of ports) {
      for (const servername of ['a.test', 'b.test', 'localhost']) {
        for (const { session } of sessions) {
          await assertRefused({ ...only, ...clientA, port: to, servername, session })
          await assertRefused({ ...only, port: to, servername, session })
        }
      }
    }
    const back = await handshake({ ...only, ...clientB, port, servername: 'a.test', session: kept.session })
    assert.equal(back.reused, false)

    put('a.test')
    assertApplied(await engine.reload())
    const again = await handshake({ ...only, ...clientB, port, servername: 'a.test', session: back.session })
    assert.equal(again.reused, true)
  })

  test(`a ${version} session of a host survives renewals, and is not resumed by a server that requests a certificate`, async (t) => {
    const ca = join(tempDir(t), 'ca.pem')
    overwriteInPlace(ca, authorityA.certPem)
    const { engine, port, put } = await hostSite(t, { 'a.test': {} }, { ca })
    const closed = await serveEcho(t, engine, { requestCert: true })
    const only = { minVersion: version, maxVersion: version, servername: 'a.test' }
    let { session } = await handshake({ ...only, port, confirm: true })
    for (let i = 0; i < 3; i++) {
      put('a.test')
      assertApplied(await engine.reload())
      const next = await handshake({ ...only, port, session, confirm: true })
      assert.equal(next.reused, true)
      session = next.session ?? session
    }
    await assertRefused({ ...only, port: closed, session })
  })
}
