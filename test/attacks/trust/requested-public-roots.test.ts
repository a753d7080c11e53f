/*
 * Public roots that `ca` requests never verify a client, whichever comes first: the roots, or a server that requests client
 * certificates. The cases run in a process with files of the environment that stand in for public roots.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'

import type { ReloadEngineOptions } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { type Case, type CaseContext, runWithPublicRoot } from '../../../support/cases/public-root.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority({ name: 'The own CA' })
const member = authority.issue()
const REFUSED = { name: 'ReloadError', code: 'OPTIONS_INVALID', message: /own CAs/ }

const wordCases = Object.fromEntries(
  (['system', 'default'] as const).flatMap((word): [string, Case][] => [
    [
      `'${word}' and requestCert are refused together, at the start and by an update in either order`,
      async (t) => {
        for (const first of [{}, { requestCert: true }, { ca: word }] as const) {
          const { engine, files, ca } = await site(t, first)
          const both = { ...files, ca: [ca, word], requestCert: true }
          await assert.rejects(startEngine(t as never, both), REFUSED)
          await assert.rejects(engine.update({ ca: [ca, word], requestCert: true }), REFUSED)
          if ('ca' in first) await assert.rejects(engine.update({ requestCert: true }), REFUSED)
          if ('requestCert' in first) await assert.rejects(engine.update({ ca: [ca, word] }), REFUSED)
          assert.equal(engine.status().generation.number, 1)
        }
      },
    ],
    [
      `with '${word}', a server that requests client certificates is refused when it is attached, and stays as it was`,
      async (t, publicRoot) => {
        const { engine, ca } = await site(t, {})
        assertApplied(await engine.update({ ca: [word, ca] }))
        const { chainPem: cert, keyPem: key } = member
        const server = tls.createServer({ cert, key, ca: authority.certPem, requestCert: true }, answer)
        const port = await listen(t as never, server)
        assert.throws(() => engine.attach(server), REFUSED)
        assert.throws(() => engine.serverOptions({ requestCert: true }), REFUSED)
        assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
      },
    ],
    [
      `'${word}' is refused while a server requests client certificates, also with force, and changes nothing`,
      async (t, publicRoot) => {
        const { engine, ca } = await site(t, {})
        const port = await serveEcho(t as never, engine, { requestCert: true })
        await assert.rejects(engine.update({ ca: [word, ca] }), REFUSED)
        assert.equal((await engine.reload({ force: true })).outcome, 'unchanged')
        assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
      },
    ],
  ]),
)

export const cases: Record<string, Case> = {
  ...wordCases,

  async 'a server that is created from the options of such an engine, but requests certificates, trusts no client'(
    t,
    publicRoot,
  ) {
    const { engine } = await site(t, { ca: 'system' })
    for (const rejectUnauthorized of [true, false]) {
      const options = { ...engine.serverOptions(), requestCert: true, rejectUnauthorized }
      const port = await listen(t as never, tls.createServer(options, answer))
      const verdict = rejectUnauthorized ? 'refused' : 'unauthorized'
      assert.deepEqual(await verdicts(port, publicRoot), [verdict, verdict])
    }
  },

  async 'equal roots from a file and from the system differ: the change is loaded, in both directions'(
    t,
    publicRoot,
  ) {
    const bundle = process.env['SSL_CERT_FILE'] as string
    const { engine } = await site(t, { ca: bundle })
    const requesting = () => engine.serverOptions({ requestCert: true })
    const { digest } = engine.status().generation.trust
    assertApplied(await engine.update({ ca: 'system' }))
    assert.throws(requesting, REFUSED)
    assert.notEqual(engine.status().generation.trust.digest, digest)
    assertApplied(await engine.update({ ca: ['system', bundle] }))
    assert.throws(requesting, REFUSED)
    assertApplied(await engine.update({ ca: bundle }))
    assert.equal(engine.status().generation.trust.digest, digest)
    const port = await serveEcho(t as never, engine, { requestCert: true })
    const { certPem: cert, keyPem: key } = publicRoot.issue()
    await handshake({ port, cert, key, confirm: true })
    await assert.rejects(engine.update({ ca: 'system' }), REFUSED)
  },

  async 'a rollback that restores public roots is refused while a server requests client certificates'(
    t,
    publicRoot,
  ) {
    const { engine, ca } = await site(t, { ca: 'system' })
    assertApplied(await engine.update({ ca }))
    const port = await serveEcho(t as never, engine, { requestCert: true })
    await assert.rejects(engine.rollback({ trust: true }), REFUSED)
    assertApplied(await engine.rollback())
    assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
    assert.notEqual((await engine.reload()).outcome, 'rejected')
    assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
  },

  async 'a rollback without its trust keeps public roots, and no server gets them afterwards'(t) {
    const { engine } = await site(t, {})
    assertApplied(await engine.update({ ca: 'system' }))
    assertApplied(await engine.rollback())
    assert.throws(() => engine.serverOptions({ requestCert: true }), REFUSED)
    await assert.rejects(engine.update({ requestCert: true }), REFUSED)
  },

  async 'a fleet member refuses such a server, and its servers keep public roots away from the primary'(
    t,
    publicRoot,
  ) {
    const { engine, ca } = await site(t, { ca: 'system' })
    const joined = await joinHere(t as never, engine)
    assert.throws(() => joined.serverOptions({ requestCert: true }), REFUSED)
    const { chainPem: cert, keyPem: key } = member
    const own = tls.createServer({ cert, key, ca: authority.certPem, requestCert: true }, answer)
    assert.throws(() => joined.attach(own), REFUSED)

    assertApplied(await engine.update({ ca }))
    const server = createEcho(joined.serverOptions({ requestCert: true }))
    joined.attach(server)
    const port = await listen(t as never, server)
    // The member has not reported it yet, so the member refuses the roll-out.
    const { outcome, problems } = await engine.update({ ca: [ca, 'system'] })
    assert.equal(outcome, 'rejected')
    assert.ok(problems.some(({ code }) => code === 'OPTIONS_INVALID'))
    await eventually('the primary knows the server', () => engine.status().members[0]?.servers === 1)
    await assert.rejects(engine.update({ ca: [ca, 'system'] }), REFUSED)
    assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
  },

  async 'a server that listens again after its engine got public roots refuses every client, and logs it'(
    t,
    publicRoot,
  ) {
    const logger = recordingLogger()
    const { engine, ca } = await site(t, { logger })
    const server = createEcho(engine.serverOptions({ requestCert: true }))
    engine.attach(server)
    await listen(t as never, server)
    server.close()
    await once(server, 'close')
    assertApplied(await engine.update({ ca: [ca, 'system'] }))
    logger.takeLines()
    const port = await listen(t as never, server)
    assert.deepEqual(await verdicts(port, publicRoot), ['refused', 'refused'])
    assert.ok(logger.lines.some(({ level }) => level === 'error'))
  },

  async 'admits() says that no client of such an engine is accepted'(t, publicRoot) {
    const { engine, ca } = await site(t, {})
    assert.equal((await engine.admits(member.certPem)).admitted, true)
    assertApplied(await engine.update({ ca: [ca, 'system'] }))
    for (const { certPem } of [member, publicRoot.issue()]) {
      const { admitted, problems } = await engine.admits(certPem)
      assert.deepEqual([admitted, problems[0]?.code], [false, 'PEER_NOT_VERIFIED'])
    }
  },
}

if (process.env['PUBLIC_ROOT_KEY'] === undefined) {
  let results: Promise<Readonly<Record<string, string | null>>> | undefined
  for (const title of Object.keys(cases)) {
    test(title, async (t) => {
      results ??= runWithPublicRoot(t, new URL(import.meta.url))
      assert.equal((await results)[title], null)
    })
  }
}

/** An engine with the own CA, unless the options say otherwise. */
async function site(t: CaseContext, options: Partial<ReloadEngineOptions>) {
  const dir = tempDir(t as never)
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const files = writePair(dir, authority.issue())
  const engine = await startEngine(t as never, { ...files, ca, ...options })
  return { engine, files, ca }
}

/** Tells each admitted client whether it is authorized. */
function answer(socket: tls.TLSSocket): void {
  socket.on('error', () => {})
  socket.once('data', () => socket.end(socket.authorized ? 'authorized' : 'unauthorized'))
}

/** How a server treats a client of the own CA and one of the public root. */
async function verdicts(port: number, publicRoot: Authority): Promise<string[]> {
  const verdictOn = async ({ certPem: cert, keyPem: key }: typeof member) => {
    const done = await handshake({ port, cert, key, confirm: true }).catch(() => null)
    if (done === null) return 'refused'
    return /unauthorized/.test(done.answer ?? '') ? 'unauthorized' : 'authorized'
  }
  return [await verdictOn(member), await verdictOn(publicRoot.issue())]
}
