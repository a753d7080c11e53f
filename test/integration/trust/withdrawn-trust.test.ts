/*
 * A client whose CA was removed, or whose certificate was revoked, is refused from the reload on: it is not admitted, and it
 * cannot resume an earlier TLS session, with its certificate or without.
 *
 * Guards against the vulnerability that Go had as CVE-2025-68121 (CVSS 10) and nginx as CVE-2025-23419, and that Node's own
 * `setSecureContext` with kept ticket keys still has (node#64584): an old session authenticates against the old trust.
 */

import assert from 'node:assert/strict'
import { constants } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { assertRefused } from '../../../support/clients/refusal.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, subdirectory, writePair } from '../../../support/files/files.js'
import { kubernetesVolume } from '../../../support/files/kubernetes-volume.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const serverAuthority = createAuthority()
const [authorityA, authorityB, authorityC] = [createAuthority(), createAuthority(), createAuthority()]
const [leafA, leafB] = [authorityA.issue(), authorityB.issue()]
const clientA = { cert: leafA.certPem, key: leafA.keyPem }
const clientB = { cert: leafB.certPem, key: leafB.keyPem }
const bundleOf = (...authorities: { certPem: string }[]): string =>
  authorities.map(({ certPem }) => certPem).join('')

/** Trust settings, and a change of them that excludes one of two clients. */
interface TrustLayout {
  readonly options: Partial<ReloadEngineOptions>
  withdrawA(): void
}

const layouts: Readonly<Record<string, (dir: string) => TrustLayout>> = {
  'a CA that was removed from the bundle': (dir) => {
    const ca = join(dir, 'ca.pem')
    overwriteInPlace(ca, bundleOf(authorityA, authorityB))
    return { options: { ca }, withdrawA: () => overwriteInPlace(ca, bundleOf(authorityB)) }
  },

  'a CA that was removed from the directory': (dir) => {
    const caDir = subdirectory(dir, 'ca.d')
    overwriteInPlace(join(caDir, 'a.pem'), authorityA.certPem)
    overwriteInPlace(join(caDir, 'b.pem'), authorityB.certPem)
    return { options: { caDir }, withdrawA: () => rmSync(join(caDir, 'a.pem')) }
  },

  'a CA that was removed from the bundle of a Kubernetes volume': (dir) => {
    const volume = kubernetesVolume(subdirectory(dir, 'trust'))
    volume.write({ 'ca-bundle.crt': bundleOf(authorityA, authorityB) })
    return {
      options: { ca: volume.path('ca-bundle.crt') },
      withdrawA: () => volume.write({ 'ca-bundle.crt': bundleOf(authorityB) }),
    }
  },

  'a CA that was removed from a Kubernetes volume read as a directory': (dir) => {
    const volume = kubernetesVolume(subdirectory(dir, 'trust'))
    volume.write({ 'a.crt': authorityA.certPem, 'b.crt': authorityB.certPem })
    return { options: { caDir: volume.dir }, withdrawA: () => volume.write({ 'b.crt': authorityB.certPem }) }
  },

  'a certificate that was revoked': (dir) => {
    const [ca, crl] = [join(dir, 'ca.pem'), join(dir, 'crl.pem')]
    overwriteInPlace(ca, bundleOf(authorityA, authorityB))
    overwriteInPlace(crl, authorityA.crl() + authorityB.crl())
    return {
      options: { ca, crl },
      withdrawA: () => overwriteInPlace(crl, authorityA.crl({ revoked: [leafA.serial] }) + authorityB.crl()),
    }
  },
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const [what, makeLayout] of Object.entries(layouts)) {
    test(`the client of ${what} is neither admitted nor resumed, over ${version}`, async (t) => {
      const dir = tempDir(t)
      const { options, withdrawA } = makeLayout(dir)
      const engine = await startMutual(t, dir, options)
      const client = {
        port: await serveEcho(t, engine),
        minVersion: version,
        maxVersion: version,
        confirm: true,
      }
      const { session: sessionA } = await handshake({ ...client, ...clientA })
      const { session: sessionB } = await handshake({ ...client, ...clientB })
      assert.equal((await handshake({ ...client, ...clientA, session: sessionA })).reused, true)

      withdrawA()
      const result = await engine.reload()
      assertApplied(result)
      assert.equal(result.diff?.sessionsSurvive, false)

      await assertRefused({ ...client, ...clientA, session: sessionA })
      await assertRefused({ ...client, session: sessionA })
      await assertRefused({ ...client, ...clientA })
      assert.equal((await handshake({ ...client, ...clientB, session: sessionB })).reused, false)
    })
  }

  test(`trust that only grows costs one full handshake and refuses no client, over ${version}`, async (t) => {
    const dir = tempDir(t)
    const ca = join(dir, 'ca.pem')
    overwriteInPlace(ca, bundleOf(authorityA))
    const engine = await startMutual(t, dir, { ca })
    const client = {
      port: await serveEcho(t, engine),
      minVersion: version,
      maxVersion: version,
      confirm: true,
    }
    const { session } = await handshake({ ...client, ...clientA })
    await assertRefused({ ...client, ...clientB })

    overwriteInPlace(ca, bundleOf(authorityA, authorityB))
    const { diff } = await engine.reload()
    assert.deepEqual(diff?.authoritiesAdded, [`CN=${authorityB.name}`])
    assert.equal(diff.sessionsSurvive, false)
    const full = await handshake({ ...client, ...clientA, session })
    assert.equal(full.reused, false)
    assert.equal((await handshake({ ...client, ...clientA, session: full.session })).reused, true)
    assert.equal((await handshake({ ...client, ...clientB })).reused, false)
  })

  test(`trust that is restored makes its earlier sessions valid again, over ${version}`, async (t) => {
    const dir = tempDir(t)
    const ca = join(dir, 'ca.pem')
    overwriteInPlace(ca, bundleOf(authorityA))
    const engine = await startMutual(t, dir, { ca })
    const client = {
      port: await serveEcho(t, engine),
      minVersion: version,
      maxVersion: version,
      confirm: true,
    }
    const { session } = await handshake({ ...client, ...clientA })

    overwriteInPlace(ca, bundleOf(authorityC))
    assertApplied(await engine.reload())
    await assertRefused({ ...client, ...clientA, session })
    overwriteInPlace(ca, bundleOf(authorityA))
    assertApplied(await engine.reload())
    assert.equal((await handshake({ ...client, ...clientA, session })).reused, true)
  })
}

// TLS 1.3 has only tickets: Node offers its `newSession` cache to TLS 1.2.
test('a server that stores TLS 1.2 sessions itself does not let the client of a removed CA resume', async (t) => {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.pem')
  overwriteInPlace(ca, bundleOf(authorityA, authorityB))
  const engine = await startMutual(t, dir, { ca, tls: { secureOptions: constants.SSL_OP_NO_TICKET } })
  const server = createEcho(engine.serverOptions())
  const cache = new Map<string, Buffer>()
  server.on('newSession', (id: Buffer, data: Buffer, done: () => void) => {
    cache.set(id.toString('hex'), data)
    done()
  })
  let found = 0
  server.on('resumeSession', (id: Buffer, done: (error: null, data: Buffer | null) => void) => {
    if (cache.has(id.toString('hex'))) found += 1
    done(null, cache.get(id.toString('hex')) ?? null)
  })
  engine.attach(server)
  const client = { port: await listen(t, server), maxVersion: 'TLSv1.2' as const, confirm: true }
  const { session } = await handshake({ ...client, ...clientA })
  assert.equal((await handshake({ ...client, ...clientA, session })).reused, true)

  overwriteInPlace(ca, bundleOf(authorityB))
  assertApplied(await engine.reload())
  await assertRefused({ ...client, ...clientA, session })
  await assertRefused({ ...client, session })
  assert.equal(found, 3)
})

async function startMutual(
  t: TestContext,
  dir: string,
  options: Partial<ReloadEngineOptions>,
): Promise<ReloadEngine> {
  return startEngine(t, { ...writePair(dir, serverAuthority.issue()), requestCert: true, ...options })
}
