import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import https from 'node:https'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import type { Problem, ReloadEngine, ReloadEngineOptions, ReloadResult } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { type RecordingLogger, recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, servedBy, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()
const stranger = authority.issue({ names: ['localhost', 'own.example'] })
const own = { cert: stranger.chainPem, key: stranger.keyPem }

test('the next reload reports a setSecureContext() outside the engine, even if nothing changed on disk', async (t) => {
  const { engine, server, port, renew } = await serving(t)
  assert.deepEqual(overridden(await engine.reload()), [])
  server.setSecureContext(own)
  for (let i = 0; i < 2; i++) {
    const result = await engine.reload()
    assert.equal(result.outcome, 'unchanged')
    assert.match(
      overridden(result).join(),
      new RegExp(`127.0.0.1:${port}: .*setSecureContext.* is not served there`),
    )
  }
  const next = renew()
  const renewal = await engine.reload()
  assertApplied(renewal)
  assert.match(overridden(renewal).join(), /has restored its own/)
  assert.equal(await servedBy(port), next.fingerprint256)
  assert.deepEqual(overridden(await engine.reload()), [])
})

test('another library that replaces the context of a server is reported in the same way', async (t) => {
  const { engine, server } = await serving(t)
  Object.assign(server, { _sharedCreds: tls.createSecureContext(own) })
  assert.match(overridden(await engine.reload()).join(), /another library, replaced the TLS context/)
})

test('the timer detects a server that was changed outside the engine, and logs it once', async (t) => {
  const { engine, server, logger } = await serving(t, {
    autoReloadInterval: 0.05,
    worker: { timeoutMs: 2000 },
  })
  const checks = () => engine.status().passes.unchanged
  const moreChecks = async () => {
    const before = checks()
    await eventually('the timer checks', () => checks() > before + 3)
  }
  await moreChecks()
  server.setSecureContext(own)
  await eventually('it is logged', () => logged(logger).length > 0)
  await moreChecks()
  assert.equal(logged(logger).length, 1)
})

test('ticket keys that the application sets are reported, and do not return with a reused context', async (t) => {
  const { engine, server, renew, port } = await serving(t)
  const ours = server.getTicketKeys()
  const theirs = randomBytes(48)
  server.setTicketKeys(theirs)
  assert.match(
    overridden(await engine.reload()).join(),
    /setTicketKeys.*the next reload replaces them.*tickets\.secretFile/,
  )
  const { session } = await handshake({ port })
  for (let i = 0; i < 4; i++) {
    renew()
    const result = await engine.reload()
    assertApplied(result)
    assert.equal(overridden(result).length, i === 0 ? 1 : 0)
    assert.deepEqual(server.getTicketKeys(), ours)
  }
  assert.equal((await handshake({ port, session })).reused, false)
})

test('ticket keys that a server has before it is attached are reported when they are replaced', async (t) => {
  const { engine, logger } = await serving(t)
  const set = createEcho(engine.serverOptions())
  set.setTicketKeys(randomBytes(48))
  const made = createEcho({ ...engine.serverOptions(), ticketKeys: randomBytes(48) })
  const right = createEcho(engine.serverOptions())
  const foreign = createEcho({ ...own, ticketKeys: randomBytes(48) })
  for (const [server, count] of [
    [set, 1],
    [made, 1],
    [right, 0],
    [foreign, 1],
  ] as const) {
    logger.takeLines()
    engine.attach(server)
    assert.equal(logged(logger).length, count)
  }
})

test('addContext() serves the names that no host has, and is reported for names of hosts', async (t) => {
  const { engine, server, port, logger, first } = await serving(t, { hosts: {} })
  const shown = (servername: string) => servedBy(port, { servername })
  server.addContext('own.example', own)
  server.addContext('*.wild.example', own)
  for (const name of ['own.example', 'a.wild.example'])
    assert.equal(await shown(name), stranger.fingerprint256)
  assert.equal(await shown('b.a.wild.example'), first.fingerprint256)
  assert.deepEqual(overridden(await engine.reload()), [])
  const host = authority.issue({ names: ['own.example'] })
  const files = writePair(tempDir(t), host)
  const applied = await engine.update({ hosts: { 'own.example': files } })
  assertApplied(applied)
  assert.match(overridden(applied).join(), /addContext\(\) for own\.example are not used/)
  assert.equal(await shown('own.example'), host.fingerprint256)
  assert.equal(logged(logger).length, 1)
})

test('addContext() before attach() is reported when a host has the name, and stays in effect where unknown names are refused', async (t) => {
  const dir = tempDir(t)
  const host = writePair(dir, authority.issue({ names: ['a.example'] }), { cert: 'a.crt', key: 'a.key' })
  const { engine, logger } = await serving(t, { hosts: { 'a.example': host }, unknownHosts: 'refuse' })
  const server = https.createServer(engine.serverOptions())
  server.addContext('a.example', own)
  server.addContext('own.example', own)
  engine.attach(server)
  assert.match(
    JSON.stringify(logged(logger)),
    /a server that does not listen yet: .*addContext\(\) for a\.example /,
  )
  const port = await listen(t, server)
  assert.equal(await servedBy(port, { servername: 'own.example' }), stranger.fingerprint256)
  await assert.rejects(servedBy(port, { servername: 'unknown.example' }))
})

test('a server whose own SNICallback answers every name is renewed, and the callback is reported', async (t) => {
  for (const hosts of [undefined, {}]) {
    const { engine, logger, renew } = await serving(t, hosts === undefined ? {} : { hosts })
    const context = tls.createSecureContext(own)
    const server = createEcho({ ...engine.serverOptions(), SNICallback: (_, done) => done(null, context) })
    logger.takeLines()
    engine.attach(server)
    assert.equal(/has its own SNICallback/.test(logger.takeLines().join()), hosts !== undefined)
    await listen(t, server)
    renew()
    const { outcome, warnings } = await engine.reload()
    assert.equal(outcome, 'applied')
    assert.match(messages(warnings, 'SERVED_OTHER').join(), /this server's own `SNICallback` selected it/)
  }
})

test('a swap that is undone because the application replaced the context meanwhile reports that cause', async (t) => {
  const { engine, server, renew, port, first } = await serving(t)
  renew()
  server.prependListener('connection', () => {
    if (engine.status().generation.number === 2) server.setSecureContext(own)
  })
  const { outcome, problems } = await engine.reload()
  assert.equal(outcome, 'rejected')
  assert.match(
    messages(problems, 'SERVED_MISMATCH').join(),
    /\(the application, or another library, replaced .*setSecureContext\)/,
  )
  assert.equal(await servedBy(port), first.fingerprint256)
})

interface ServingSite {
  readonly engine: ReloadEngine
  readonly server: tls.Server
  readonly port: number
  readonly first: Leaf
  readonly logger: RecordingLogger
  renew(): Leaf
}

async function serving(t: TestContext, options: Partial<ReloadEngineOptions> = {}): Promise<ServingSite> {
  const dir = tempDir(t)
  const logger = recordingLogger()
  const first = authority.issue()
  const engine = await startEngine(t, { ...writePair(dir, first), logger, ...options })
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  const port = await listen(t, server)
  const renew = () => {
    const next = authority.issue()
    writePair(dir, next)
    return next
  }
  return { engine, server, port, first, logger, renew }
}

function overridden({ warnings }: ReloadResult): string[] {
  return messages(warnings, 'SERVER_OVERRIDDEN')
}

function messages(problems: readonly Problem[], code: Problem['code']): string[] {
  return problems.filter((problem) => problem.code === code).map(({ message }) => message)
}

function logged({ lines }: RecordingLogger): readonly object[] {
  return lines.filter(({ fields }) => (fields as { code?: string }).code === 'SERVER_OVERRIDDEN')
}
