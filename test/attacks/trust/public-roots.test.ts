/*
 * A server never trusts the public roots: without `ca`, Node accepts the client certificates that any public root has issued.
 * NODE_EXTRA_CA_CERTS stands in for such a root. Node reads it at its start, so the cases run in a separate process.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'

import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { type Case, type CaseContext, runWithPublicRoot } from '../../../support/cases/public-root.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority({ name: 'The own CA' })
const member = authority.issue()
const REFUSED = { name: 'ReloadError', code: 'OPTIONS_INVALID' }

const attachCases = Object.fromEntries(
  (['node:tls', 'node:https', 'node:http2'] as const).flatMap((kind) =>
    [true, false].map((rejectUnauthorized): [string, Case] => [
      `a ${kind} server with its own CA and ${rejectUnauthorized ? 'required' : 'optional'} client certificates is refused by an engine without one, and stays as it was`,
      async (t, publicRoot) => {
        const { engine } = await site(t)
        const own = { ca: authority.certPem, requestCert: true, rejectUnauthorized }
        const leaf = authority.issue()
        const server = serverOf(kind, { ...own, cert: leaf.chainPem, key: leaf.keyPem })
        const port = await listen(t, server)
        assert.throws(() => engine.attach(server), REFUSED)
        assert.equal(engine.status().servers, 0)
        assert.equal(await verdict(port, member), 'authorized')
        assert.notEqual(await verdict(port, publicRoot.issue()), 'authorized')
      },
    ]),
  ),
)

export const cases: Record<string, Case> = {
  async 'a server that is created from the options of an engine without a CA, but requests certificates, trusts no public root'(
    t,
    publicRoot,
  ) {
    const { engine } = await site(t)
    const stranger = publicRoot.issue()
    const { chainPem: cert, keyPem: key } = authority.issue()
    const control = serverOf('node:tls', { cert, key, requestCert: true })
    assert.equal(await verdict(await listen(t, control), stranger), 'authorized', 'Node trusts the stand-in')
    for (const kind of ['node:tls', 'node:https', 'node:http2'] as const) {
      for (const rejectUnauthorized of [true, false]) {
        const options = { ...engine.serverOptions(), requestCert: true, rejectUnauthorized }
        const server = serverOf(kind, options)
        const port = await listen(t, server)
        assert.equal(await verdict(port, stranger), rejectUnauthorized ? 'refused' : 'unauthorized')
        assert.throws(() => engine.attach(server), REFUSED)
      }
    }
  },

  ...attachCases,

  async 'the CA of an engine cannot be removed while a server requests client certificates'(t, publicRoot) {
    const { engine, ca } = await site(t, { trusted: true })
    const port = await serve(t, engine)
    for (const changes of [{ ca: undefined }, { ca: undefined, caDir: undefined, requestCert: false }]) {
      await assert.rejects(engine.update(changes), REFUSED)
    }
    assert.equal(engine.status().generation.number, 1)
    assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
    assertApplied(await engine.reload({ force: true }).then(() => engine.update({ ca: [ca] })))
    assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
  },

  async 'the CA of an engine cannot be removed either while returned options for such a server are not attached yet'(
    t,
    publicRoot,
  ) {
    const { engine } = await site(t, { trusted: true })
    const server = createEcho(engine.serverOptions({ requestCert: true }))
    await assert.rejects(engine.update({ ca: undefined }), REFUSED)
    engine.attach(server)
    assert.deepEqual(await verdicts(await listen(t, server), publicRoot), ['authorized', 'refused'])
  },

  async 'a rollback to a generation without a CA keeps the trust, and one that includes trust is refused'(
    t,
    publicRoot,
  ) {
    const { engine, ca, first } = await site(t)
    assertApplied(await engine.update({ ca }))
    const port = await serve(t, engine)
    await assert.rejects(engine.rollback({ trust: true }), REFUSED)
    assert.equal(engine.status().generation.number, 2)
    const back = await engine.rollback()
    assertApplied(back)
    assert.deepEqual(back.restored, { generation: 1, trust: 'kept' })
    assert.equal(back.serving.fingerprint256, first.fingerprint256)
    assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
  },

  async 'a server that listens again after its engine lost its CA refuses every client, and logs it'(
    t,
    publicRoot,
  ) {
    const logger = recordingLogger()
    const { engine } = await site(t, { trusted: true, logger })
    const server = createEcho(engine.serverOptions({ requestCert: true }))
    engine.attach(server)
    await listen(t, server)
    server.close()
    await once(server, 'close')
    assertApplied(await engine.update({ ca: undefined }))
    logger.takeLines()
    const port = await listen(t, server)
    assert.deepEqual(await verdicts(port, publicRoot), ['refused', 'refused'])
    const [line] = logger.lines.filter(({ level }) => level === 'error')
    assert.equal((line?.fields as { code?: string } | undefined)?.code, 'OPTIONS_INVALID')
  },

  async 'a fleet member refuses such a server, and such options, if the engine has no CA'(t, publicRoot) {
    const { engine } = await site(t)
    const joined = await joinHere(t, engine)
    const own = { ca: authority.certPem, requestCert: true }
    const server = serverOf('node:tls', { ...own, cert: member.chainPem, key: member.keyPem })
    const port = await listen(t, server)
    assert.throws(() => joined.attach(server), REFUSED)
    assert.throws(() => joined.serverOptions({ requestCert: true }), REFUSED)
    assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
  },

  async 'the CA cannot be removed while a server of a fleet member needs it, whether or not the primary knows the server'(
    t,
    publicRoot,
  ) {
    const { engine } = await site(t, { trusted: true })
    const joined = await joinHere(t, engine)
    const server = createEcho(joined.serverOptions({ requestCert: true }))
    const port = await listen(t, server)
    joined.attach(server)
    // The member has not reported it yet, so the member refuses the roll-out.
    const { outcome, problems } = await engine.update({ ca: undefined })
    assert.equal(outcome, 'rejected')
    assert.ok(
      problems.some(({ code }) => code === 'OPTIONS_INVALID'),
      JSON.stringify(problems),
    )
    await eventually('the primary knows the server', () => engine.status().members[0]?.servers === 1)
    await assert.rejects(engine.update({ ca: undefined }), REFUSED)
    assert.deepEqual([engine.status().generation.number, joined.status().generation.number], [1, 1])
    assert.deepEqual(await verdicts(port, publicRoot), ['authorized', 'refused'])
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

interface SiteOptions extends Pick<ReloadEngineOptions, 'requestCert' | 'logger'> {
  readonly trusted?: boolean
}

interface Site {
  readonly engine: ReloadEngine
  readonly ca: string
  readonly first: Leaf
}

async function site(t: CaseContext, { trusted = false, ...options }: SiteOptions = {}): Promise<Site> {
  const dir = tempDir(t as never)
  const first = authority.issue()
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const files = { ...writePair(dir, first), ...(trusted ? { ca } : {}) }
  const engine = await startEngine(t as never, { ...files, ...options })
  return { engine, ca, first }
}

function serve(t: CaseContext, engine: ReloadEngine): Promise<number> {
  return serveEcho(t as never, engine, { requestCert: true })
}

/** Sends each admitted client whether it is authorized. */
function serverOf(kind: 'node:tls' | 'node:https' | 'node:http2', options: tls.TlsOptions): tls.Server {
  const verdict = (socket: tls.TLSSocket) => (socket.authorized ? 'authorized' : 'unauthorized')
  if (kind === 'node:tls') {
    return tls.createServer(options, (socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(verdict(socket)))
    })
  }
  const answer = (request: { socket: object }, response: { end(text: string): void }) => {
    response.end(verdict(request.socket as tls.TLSSocket))
  }
  if (kind === 'node:https') return https.createServer(options, answer as never)
  return http2.createSecureServer({ ...options, allowHTTP1: true }, answer as never) as unknown as tls.Server
}

/** How a server treats a client: `authorized`, `unauthorized` (but admitted), or `refused`. */
async function verdict(port: number, { certPem: cert, keyPem: key }: Leaf): Promise<string> {
  const done = await handshake({ port, cert, key, confirm: true }).catch(() => null)
  if (done === null) return 'refused'
  return /unauthorized/.test(done.answer as string) ? 'unauthorized' : 'authorized'
}

/** The verdicts on a client of the own CA and on one of the public root. */
async function verdicts(port: number, publicRoot: Authority): Promise<string[]> {
  return [await verdict(port, member), await verdict(port, publicRoot.issue())]
}
