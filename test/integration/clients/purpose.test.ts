/* An engine for a client alone. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import type { ReloadEngineOptions } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { createAuthority, type LeafOptions } from '../../../support/material/certificates.js'
import { certswap } from '../../../support/processes/program.js'
import { listen } from '../../../support/servers/echo-server.js'

const servers = createAuthority({ name: 'Server CA' })
const clients = createAuthority({ name: 'Client CA' })

test('a certificate for clients is accepted without a warning, renewed and shown, and VERIFY does not apply', async (t) => {
  const { engine, renew, logger } = await site(t)
  assert.deepEqual(engine.status().warnings, [])
  const server = tls.createServer({ ...pem(servers.issue()), ca: clients.certPem, requestCert: true })
  const port = await listen(t, server)
  const shown = async () => {
    const accepted = once(server, 'secureConnection') as Promise<[tls.TLSSocket]>
    const socket = tls.connect({ port, host: 'localhost', ...engine.clientOptions() })
    t.after(() => socket.destroy())
    const [[peer]] = await Promise.all([accepted, once(socket, 'secureConnect')])
    return peer.getPeerX509Certificate()?.fingerprint256
  }
  assert.equal(await shown(), engine.status().generation.certificates[0]?.fingerprint256)
  const leaf = renew()
  const result = await engine.reload()
  assertApplied(result)
  assert.deepEqual([result.verification, result.warnings], ['not-applicable', []])
  assert.equal(await shown(), leaf.fingerprint256)
  assert.deepEqual(
    logger.lines.filter(({ level }) => level === 'warn' || level === 'error'),
    [],
  )
})

test('a certificate without clientAuth is refused, and one for clients by an engine for servers', async (t) => {
  const { engine, renew, options } = await site(t)
  renew({ extendedKeyUsage: 'server' })
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['CERT_PURPOSE']])
  assert.match(
    problems[0]?.message ?? '',
    /cannot be used by a client: its extended key usage lacks clientAuth/,
  )
  renew()
  await assert.rejects(startEngine(t, { ...options, purpose: 'server' }), { code: 'CERT_PURPOSE' })
  renew({ extendedKeyUsage: 'both' })
  for (const purpose of ['server', 'client'] as const) await startEngine(t, { ...options, purpose })
})

test('a chain that servers would reject is refused', async (t) => {
  const { engine, renew, dir } = await site(t)
  const root = createAuthority({ permitted: ['example.org'] })
  const leaf = root.issue({ names: ['client.other.test'], extendedKeyUsage: 'client' })
  writePair(dir, { chainPem: leaf.certPem + root.certPem, keyPem: leaf.keyPem })
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['REHEARSAL_FAILED']])
  assert.match(problems[0]?.message ?? '', /^a server would reject the chain/)
  renew()
  assertApplied(await engine.reload())
})

test('servers and options of servers are refused, also on a member of a fleet', async (t) => {
  const { engine, options } = await site(t)
  const member = await joinHere(t, engine)
  for (const one of [engine, member]) {
    assert.throws(() => one.serverOptions(), { code: 'OPTIONS_INVALID', message: /purpose: 'server'/ })
    assert.throws(() => one.attach(tls.createServer()), { code: 'OPTIONS_INVALID' })
    assert.ok(one.clientOptions().secureContext)
  }
  await assert.rejects(startEngine(t, { ...options, requestCert: true }), { code: 'OPTIONS_INVALID' })
  await assert.rejects(startEngine(t, { ...options, hosts: {} }), { code: 'OPTIONS_INVALID' })
  await assert.rejects(engine.update({ purpose: 'server' } as never), { code: 'OPTIONS_INVALID' })
})

test('with an engine for servers, VERIFY says whether it dialled a listener', async (t) => {
  const dir = tempDir(t)
  const pair = writePair(dir, servers.issue())
  const engine = await startEngine(t, { ...pair, logger: recordingLogger() })
  writePair(dir, servers.issue())
  assert.equal((await engine.reload()).verification, 'skipped')
  assert.equal((await engine.reload()).verification, 'not-reached')
  const server = tls.createServer(engine.serverOptions())
  engine.attach(server)
  await listen(t, server)
  writePair(dir, servers.issue())
  assert.equal((await engine.reload()).verification, 'done')
})

test('certswap check --purpose client accepts a certificate for clients', async (t) => {
  const { dir } = await site(t)
  const args = ['check', '--cert', 'tls.crt', '--key', 'tls.key', '--ca', 'ca.crt']
  assert.equal((await certswap(args, { cwd: dir })).code, 1)
  assert.equal((await certswap([...args, '--purpose', 'client'], { cwd: dir })).code, 0)
})

async function site(t: TestContext) {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.crt')
  writeFileSync(ca, servers.certPem)
  const renew = (options: LeafOptions = {}) => {
    const leaf = clients.issue({ names: [], commonName: 'client 7', extendedKeyUsage: 'client', ...options })
    // Alone, as many clients have it: the server has the issuer.
    writePair(dir, { chainPem: leaf.certPem, keyPem: leaf.keyPem })
    return leaf
  }
  renew()
  const logger = recordingLogger()
  const files = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), ca }
  const options: ReloadEngineOptions = { ...files, purpose: 'client', logger }
  return { engine: await startEngine(t, options), renew, logger, options, dir }
}

function pem({ chainPem, keyPem }: { chainPem: string; keyPem: string }) {
  return { cert: chainPem, key: keyPem }
}
