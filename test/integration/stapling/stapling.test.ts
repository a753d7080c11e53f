/*
 * Clients get the OCSP response of the leaf in the same handshake, and no other (haproxy/haproxy#2319, #3198: after a renewal,
 * the response of the previous leaf).
 */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type tls from 'node:tls'
import { promisify } from 'node:util'

import { currentContext } from '../../../src/main/generation/native-context.js'
import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { fingerprintOf, type Stapled, stapled, stapledOver } from '../../../support/clients/stapled.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'
import {
  delegatedResponder,
  type OcspOptions,
  ocspResponse,
} from '../../../support/material/ocsp-response.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const root = createAuthority()
const authority = createAuthority({ parent: root })
const FAR = new Date(Date.now() + 86_400_000)

for (const [kind, create] of [
  ['TLS', (options: tls.TlsOptions) => createEcho(options)],
  ['HTTPS', (options: tls.TlsOptions) => https.createServer(options)],
  ['HTTP/2', (options: tls.TlsOptions) => http2.createSecureServer(options)],
] as const) {
  test(`a server of ${kind} staples the response in every TLS version`, async (t) => {
    const site = await setUp(t)
    const server = create(site.engine.serverOptions())
    site.engine.attach(server as tls.Server)
    const port = await listen(t, server as tls.Server)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      assertStapled(
        await stapled(port, { maxVersion, ALPNProtocols: ['h2', 'http/1.1'] }),
        site.leaf,
        site.response,
      )
    }
  })
}

test('openssl s_client verifies the stapled response', { skip: withoutOpenssl }, async (t) => {
  const { port, dir } = await serve(t)
  writeFileSync(join(dir, 'root'), root.certPem)
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-status', '-CAfile', join(dir, 'root')]
  const run = promisify(execFile)('openssl', args)
  run.child.stdin?.end()
  const { stdout } = await run
  assert.match(stdout, /OCSP Response Status: successful/)
  assert.match(stdout, /Cert Status: good/)
})

test('without a response, no listener slows down the server', async (t) => {
  const { server, engine, dir, port, leaf } = await serve(t)
  assert.equal(server.listenerCount('OCSPRequest'), 1)
  renameInto(join(dir, 'ocsp.der'), ocspResponse(authority.issue(), authority))
  const { warnings } = await engine.reload()
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['OCSP_MISMATCH'],
  )
  assert.equal(server.listenerCount('OCSPRequest'), 0)
  assertStapled(await stapled(port), leaf, null)
})

test('a renewal without its response is served without any, and the response is stapled when it arrives', async (t) => {
  const { engine, port, renew, respond, first } = await serve(t)
  const leaf = renew()
  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual(
    result.warnings.map(({ code }) => code),
    ['OCSP_MISMATCH'],
  )
  assertStapled(await stapled(port), leaf, null)
  const response = respond(leaf)
  const later = await engine.reload()
  assertApplied(later)
  assert.deepEqual(later.warnings, [])
  assertStapled(await stapled(port), leaf, response)
  assert.notEqual(first.leaf.fingerprint256, leaf.fingerprint256)
})

test('a missing response file is a warning, and its response is stapled when it arrives', async (t) => {
  const { engine, port, leaf, respond, dir } = await serve(t, {}, { status: 'good' }, false)
  const [warning] = engine.status().warnings
  assert.deepEqual([warning?.code, warning?.path], ['FILE_NOT_FOUND', join(dir, 'ocsp.der')])
  assertStapled(await stapled(port), leaf, null)
  const response = respond(leaf)
  assertApplied(await engine.reload())
  assertStapled(await stapled(port), leaf, response)
  assert.equal((await engine.reload()).outcome, 'unchanged')
  rmSync(join(dir, 'ocsp.der'))
  assertApplied(await engine.reload())
  assertStapled(await stapled(port), leaf, null)
  assert.equal((await engine.reload()).outcome, 'unchanged')
})

test('a newer response replaces the previous one, while the certificate stays', async (t) => {
  const { engine, port, leaf, respond } = await serve(t)
  for (let i = 0; i < 3; i++) {
    const response = respond(leaf, { nextUpdate: new Date(FAR.getTime() + i * 60_000) })
    assertApplied(await engine.reload())
    assertStapled(await stapled(port), leaf, response)
    assert.equal(engine.status().generation.certificates[0]?.ocsp?.fingerprint256, fingerprintOf(response))
  }
})

test('a connection that was accepted before a renewal never gets the response of another leaf', async (t) => {
  const { engine, port, leaf, response, renew, respond } = await serve(t)
  const early = net.connect(port, '127.0.0.1')
  await once(early, 'connect')
  await eventually('the connection is accepted', () => Object.values(engine.status().connections).includes(1))
  const next = renew()
  const newer = respond(next)
  assertApplied(await engine.reload())
  // Until the first of the two handshakes has ended, it is unknown which one Node's event belongs to.
  assertStapled(await stapled(port), next, null)
  assertStapled(await stapledOver(early), leaf, null)
  assertStapled(await stapled(port), next, newer)
  assert.notDeepEqual(newer, response)
})

test('reused contexts staple the response of the leaf that they show', async (t) => {
  const { engine, server, port, renew, respond } = await serve(t)
  const contexts = new Set<unknown>()
  for (let i = 0; i < 6; i++) {
    const leaf = renew()
    const response = respond(leaf)
    assertApplied(await engine.reload())
    contexts.add(currentContext(server))
    assertStapled(await stapled(port), leaf, response)
  }
  assert.equal(contexts.size, 2)
})

test('a rollback staples the response of the restored leaf', async (t) => {
  const { engine, port, first, renew, respond } = await serve(t)
  respond(renew())
  assertApplied(await engine.reload())
  assertApplied(await engine.rollback())
  assertStapled(await stapled(port), first.leaf, first.response)
})

test('a newer response does not apply a rolled-back certificate again', async (t) => {
  const { engine, port, first, renew, respond } = await serve(t, { autoReloadInterval: 0.05 })
  const leaf = renew()
  respond(leaf)
  assertApplied(await engine.reload())
  assertApplied(await engine.rollback())
  respond(leaf, { nextUpdate: FAR })
  const { unchanged } = engine.status().passes
  await eventually('the timer has checked', () => engine.status().passes.unchanged > unchanged + 2)
  assertStapled(await stapled(port), first.leaf, first.response)
})

test('a fleet member staples the response of every generation that it gets', async (t) => {
  const { engine, renew, respond, first } = await serve(t)
  const member = await joinHere(t, engine)
  const server = createEcho(member.serverOptions())
  member.attach(server)
  const port = await listen(t, server)
  assertStapled(await stapled(port), first.leaf, first.response)
  const leaf = renew()
  assertApplied(await engine.reload())
  assertStapled(await stapled(port), leaf, null)
  const response = respond(leaf)
  assertApplied(await engine.reload())
  assertStapled(await stapled(port), leaf, response)
})

test('the response of a delegated responder is stapled', async (t) => {
  const { port, leaf, response } = await serve(t, {}, { responder: delegatedResponder(authority) })
  assertStapled(await stapled(port), leaf, response)
})

test('a revoked certificate is refused, and the previous one stays in service with its response', async (t) => {
  const { engine, port, first, renew, respond } = await serve(t)
  respond(renew(), { status: 'revoked' })
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['OCSP_REVOKED']])
  assertStapled(await stapled(port), first.leaf, first.response)
  const forced = await engine.reload({ force: true })
  assertApplied(forced)
  assert.equal((await stapled(port)).response, null)
})

test('`policy.badOcsp: "reject"` refuses a renewal until its response is available', async (t) => {
  const { engine, port, first, renew, respond } = await serve(t, { policy: { badOcsp: 'reject' } })
  const leaf = renew()
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['OCSP_MISMATCH']])
  assertStapled(await stapled(port), first.leaf, first.response)
  const response = respond(leaf)
  assertApplied(await engine.reload())
  assertStapled(await stapled(port), leaf, response)
})

test('a listener of the application answers instead of the engine', async (t) => {
  const site = await setUp(t)
  const own = ocspResponse(site.leaf, authority, { nextUpdate: FAR })
  const server = createEcho(site.engine.serverOptions())
  server.on('OCSPRequest', (_leaf: Buffer, _issuer: Buffer, respond: (error: null, own: Buffer) => void) =>
    respond(null, own),
  )
  site.engine.attach(server)
  const port = await listen(t, server)
  assertStapled(await stapled(port), site.leaf, own)
  const warned = site.logger.lines.filter(({ level }) => level === 'warn')
  assert.equal(warned.filter(({ message }) => /its own listener for OCSPRequest/.test(message)).length, 1)
})

test('a detached server staples nothing', async (t) => {
  const site = await setUp(t)
  const server = createEcho(site.engine.serverOptions())
  const detach = site.engine.attach(server)
  const port = await listen(t, server)
  detach()
  assert.equal(server.listenerCount('OCSPRequest'), 0)
  assertStapled(await stapled(port), site.leaf, null)
})

test('`ocsp` with several pairs is refused, because Node does not report which one a client gets', async (t) => {
  const { engine, dir } = await setUp(t)
  const options = {
    cert: [join(dir, 'tls.crt'), join(dir, 'b.crt')],
    key: [join(dir, 'tls.key'), join(dir, 'b.key')],
  }
  await assert.rejects(engine.update(options), { code: 'OPTIONS_INVALID' })
})

test('`update()` sets and removes the response of a running engine', async (t) => {
  const { engine, port, leaf, response, dir } = await serve(t)
  assertApplied(await engine.update({ ocsp: undefined }))
  assertStapled(await stapled(port), leaf, null)
  assertApplied(await engine.update({ ocsp: join(dir, 'ocsp.der') }))
  assertStapled(await stapled(port), leaf, response)
})

function assertStapled(seen: Stapled, leaf: Pick<Leaf, 'fingerprint256'>, response: Buffer | null): void {
  assert.equal(seen.leaf, leaf.fingerprint256)
  assert.deepEqual(seen.response && fingerprintOf(seen.response), response && fingerprintOf(response))
}

interface SetUp {
  readonly engine: ReloadEngine
  readonly logger: ReturnType<typeof recordingLogger>
  readonly dir: string
  readonly leaf: Leaf
  readonly response: Buffer
  readonly first: { readonly leaf: Leaf; readonly response: Buffer }
  /** Writes another pair. */
  renew(issuer?: Authority): Leaf
  /** Writes a response for this leaf. */
  respond(leaf: Leaf, options?: OcspOptions): Buffer
}

async function setUp(
  t: TestContext,
  options: Partial<ReloadEngineOptions> = {},
  about: OcspOptions = {},
  isThere = true,
): Promise<SetUp> {
  const dir = tempDir(t)
  const leaf = authority.issue()
  const pair = writePair(dir, leaf)
  const ocsp = join(dir, 'ocsp.der')
  const respond = (to: Leaf, more: OcspOptions = {}) => {
    const response = ocspResponse(to, authority, more)
    renameInto(ocsp, response)
    return response
  }
  const response = ocspResponse(leaf, authority, about)
  if (isThere) renameInto(ocsp, response)
  const logger = recordingLogger()
  const engine = await startEngine(t, { ...pair, ocsp, logger, ...options })
  const renew = (issuer = authority) => {
    const next = issuer.issue()
    writePair(dir, next)
    return next
  }
  return { engine, logger, dir, leaf, response, first: { leaf, response }, renew, respond }
}

async function serve(
  t: TestContext,
  options: Partial<ReloadEngineOptions> = {},
  about: OcspOptions = {},
  isThere = true,
): Promise<SetUp & { readonly server: tls.Server; readonly port: number }> {
  const site = await setUp(t, options, about, isThere)
  const server = createEcho(site.engine.serverOptions())
  site.engine.attach(server)
  return { ...site, server, port: await listen(t, server) }
}
