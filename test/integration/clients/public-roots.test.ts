/*
 * `ca: 'system'` and `ca: 'default'`: public roots for outgoing connections. The files of the environment stand in for the bundle of
 * the operating system, so the cases run in a separate process.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'

import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { type Case, type CaseContext, runWithPublicRoot } from '../../../support/cases/public-root.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import { certswap, certswapServeAt } from '../../../support/processes/program.js'
import { request } from '../../../support/servers/control.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority({ name: 'The own CA' })

type Connect = (engine: ReloadEngine, port: number) => Promise<void>

const WAYS: Record<string, Connect> = {
  'secureContext()': (engine, port) => connected(port, { secureContext: engine.secureContext() }),
  'clientOptions()': (engine, port) => connected(port, engine.clientOptions()),
  "clientOptions({ as: 'pem' })": (engine, port) => connected(port, engine.clientOptions({ as: 'pem' })),
  async 'agent()'(engine, port) {
    const agent = engine.agent({ keepAlive: false })
    const sent = https.request({ port, host: '127.0.0.1', servername: 'localhost', agent, method: 'HEAD' })
    sent.end()
    const [response] = await once(sent, 'response')
    response.resume()
  },
}

const wayCases = Object.fromEntries(
  Object.entries(WAYS).flatMap(([name, connect]) =>
    (['system', 'default'] as const).map((word): [string, Case] => [
      `${name} with '${word}' and a file verifies servers of both, and not one whose CA a reload no longer finds`,
      async (t, publicRoot) => {
        const store = storeOf(t, word)
        const { engine, ca, ports } = await site(t, publicRoot)
        await connect(engine, ports.own)
        await assert.rejects(connect(engine, ports.public), UNVERIFIED)
        assertApplied(await engine.update({ ca: [word, ca] }))
        await connect(engine, ports.own)
        await connect(engine, ports.public)
        assert.equal((await engine.reload()).outcome, 'unchanged')

        overwriteInPlace(store, createAuthority().certPem)
        assertApplied(await engine.reload())
        await connect(engine, ports.own)
        await assert.rejects(connect(engine, ports.public), UNVERIFIED)
      },
    ]),
  ),
)

export const cases: Record<string, Case> = {
  ...wayCases,

  async "with 'system' alone, a server of an own CA is refused, and the roots of Node are not trusted"(
    t,
    publicRoot,
  ) {
    const { engine, ports } = await site(t, publicRoot, { ca: 'system' })
    await connected(ports.public, engine.clientOptions())
    await assert.rejects(connected(ports.own, engine.clientOptions()), UNVERIFIED)
    assert.equal(engine.status().generation.trust.authorities, 1)
    assertApplied(await engine.update({ ca: ['default', 'system', 'default'] }))
    assert.equal(engine.status().generation.trust.authorities, new Set(tls.rootCertificates).size + 1)
  },

  async 'the trust stays in force while the bundle is missing, truncated or without a certificate'(
    t,
    publicRoot,
  ) {
    const store = storeOf(t, 'system')
    const { engine, ports } = await site(t, publicRoot, { ca: 'system' })
    rmSync(store)
    assert.equal((await engine.reload()).problems[0]?.code, 'FILE_NOT_FOUND')
    writeFileSync(store, publicRoot.certPem.slice(0, 300))
    assert.equal((await engine.reload()).problems[0]?.code, 'PEM_INVALID')
    writeFileSync(store, '')
    assert.equal((await engine.reload()).problems[0]?.code, 'CA_EMPTY')
    writeFileSync(store, authority.issue().certPem)
    const { outcome, problems } = await engine.reload({ force: true })
    assert.equal(outcome, 'rejected')
    assert.match(problems[0]?.message ?? '', /no public root can be a trust anchor/)
    await connected(ports.public, engine.clientOptions())
  },

  async 'broken certificates in the bundle are left out with one warning, also if the policy refuses broken anchors'(
    t,
    publicRoot,
  ) {
    const store = storeOf(t, 'system')
    const broken = [pem('CERTIFICATE', Buffer.from([0x30, 3, 2, 1, 1])), authority.issue().certPem]
    writeFileSync(store, [...broken, publicRoot.certPem].join(''))
    const { engine, ports } = await site(t, publicRoot, { ca: 'system', policy: { brokenAnchor: 'reject' } })
    await connected(ports.public, engine.clientOptions())
    const path = process.env['SSL_CERT_FILE']
    const warnings = engine.status().generation.warnings.filter((warning) => warning.path === path)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]?.message ?? '', /2 of 3 public roots are left out/)
  },

  async 'a public root is not reported before it expires, and an own CA is, in the bundle or not'(
    t,
    publicRoot,
  ) {
    const { engine, ca } = await site(t, publicRoot, { ca: 'system' })
    assert.equal(engine.status().ends.ca, null)
    writeFileSync(storeOf(t, 'system'), publicRoot.certPem + authority.certPem)
    assertApplied(await engine.update({ ca: ['system', ca] }))
    assert.equal(engine.status().generation.trust.authorities, 2)
    assert.ok(engine.status().ends.ca)
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

  test('the words are no paths in flags, in a configuration file and in PATCH /config; `./system` is a path', async (t) => {
    const dir = tempDir(t)
    const store = join(dir, 'store.pem')
    writeFileSync(store, createAuthority().certPem)
    const { cert, key } = writePair(dir, authority.issue())
    const { SSL_CERT_DIR: _, NODE_EXTRA_CA_CERTS: __, ...rest } = process.env
    const env = { ...rest, SSL_CERT_FILE: store, SSL_CERT_DIR: '', NODE_EXTRA_CA_CERTS: '' }
    const flags = ['--cert', cert, '--key', key]
    const check = (...ca: string[]) => certswap(['check', ...flags, ...ca], { cwd: dir, env })
    assert.equal((await check('--ca', 'system', '--ca', 'default')).code, 0)
    const missing = await check('--ca', './system')
    assert.notEqual(missing.code, 0)
    assert.match(missing.stdout + missing.stderr, new RegExp(`${dir}/system does not exist`))
    const refused = await check('--ca', 'system', '--request-cert')
    assert.match(refused.stdout + refused.stderr, /public roots never verify clients/)

    const [config, socket] = [join(dir, 'config.json'), join(dir, 'control.sock')]
    writeFileSync(config, JSON.stringify({ cert: 'tls.crt', key: 'tls.key', ca: 'system' }))
    const args = ['--listen', '127.0.0.1:0', '--config', config, '--control', socket]
    const program = await certswapServeAt(t, args, { cwd: dir, env })
    const patch = async (body: object) => {
      const headers = { 'Content-Type': 'application/json' }
      return await request(socket, '/config', { method: 'PATCH', headers, body: JSON.stringify(body) })
    }
    const { status, json } = await patch({ ca: ['default', 'system'] })
    assert.deepEqual([status, json.status], [200, 'reloaded'])
    assert.equal((await patch({ request_cert: true })).status, 422)
    const path = await patch({ ca: './system' })
    assert.match(JSON.stringify(path.json), /system does not exist/)
    assert.equal(await program.stop(), 0)
  })
}

const UNVERIFIED = { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }

/** The file that a word reads; restored after the case. */
function storeOf(t: CaseContext, word: 'system' | 'default'): string {
  const path = process.env[word === 'system' ? 'SSL_CERT_FILE' : 'NODE_EXTRA_CA_CERTS'] as string
  const before = readFileSync(path)
  t.after(() => writeFileSync(path, before))
  return path
}

/** Servers of the own CA and of the public root, and an engine with the own CA. */
async function site(t: CaseContext, publicRoot: Authority, options: Partial<ReloadEngineOptions> = {}) {
  const dir = tempDir(t as never)
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const engine = await startEngine(t as never, { ...writePair(dir, authority.issue()), ca, ...options })
  const ports = { own: await serverOf(t, authority), public: await serverOf(t, publicRoot) }
  return { engine, ca, ports }
}

async function serverOf(t: CaseContext, issuer: Authority): Promise<number> {
  const { chainPem: cert, keyPem: key } = issuer.issue()
  // With `ca` absent, the server would send the root, and clients would report another code.
  const server = https.createServer({ cert, key, ca: [] }, (_, response) => response.end())
  return await listen(t as never, server)
}

async function connected(port: number, options: tls.ConnectionOptions): Promise<void> {
  const socket = tls.connect(Object.assign({ host: '127.0.0.1', port, servername: 'localhost' }, options))
  await once(socket, 'secureConnect')
  socket.destroy()
}
