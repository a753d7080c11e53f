/* An engine with the HTTPS source, against a real service. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { createReloadEngine } from '../../../src/main/index.js'
import { type HttpsSourceOptions, httpsSource } from '../../../src/main/sources/https/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { SecretSearch } from '../../../support/base/secrets.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { nextEvent, recordEvents, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import {
  type Answer,
  bundle,
  type MaterialService,
  materialService,
  pem,
  status,
} from '../../../support/servers/material-service.js'

const authority = createAuthority().issueAuthority()
const TOKEN = 'correct-horse-battery-staple-42'

test('a renewal at the service is served after the next poll, and an unchanged poll is answered by 304', async (t) => {
  const [first, second] = [authority.issue(), authority.issue()]
  const { service, options } = await start(t, bundle(first, '"1"'))
  const engine = await startEngine(t, { source: httpsSource(options) })
  const port = await serveEcho(t, engine)
  assert.equal(await servedBy(port), first.fingerprint256)

  const unchanged = nextEvent(engine, 'settled', ({ outcome }) => outcome === 'unchanged')
  assert.equal((await unchanged).trigger, 'source')
  assert.equal(service.requests.at(-1)?.headers['if-none-match'], '"1"')

  const applied = nextEvent(engine, 'applied')
  service.answer = bundle(second, '"2"')
  const { trigger, changed } = await applied
  assert.deepEqual([trigger, changed], ['source', ['https:bundle']])
  assert.equal(await servedBy(port), second.fingerprint256)
  assert.equal(engine.status().source?.version, '"2"')
})

test('whatever the service answers, the last good certificate stays in service until there is a valid one', async (t) => {
  const first = authority.issue()
  const { service, options, secrets } = await start(t, bundle(first, '"1"'))
  const logger = recordingLogger()
  const engine = await startEngine(t, { source: httpsSource({ ...options, pollSeconds: 0 }), logger })
  const port = await serveEcho(t, engine)
  secrets.addKey(first.privateKey)
  const other = authority.issue()
  secrets.addKey(other.privateKey)
  const failures: readonly (readonly [string, Answer])[] = [
    ['SOURCE_WITHDRAWN', status(410)],
    ['SOURCE_DENIED', status(401)],
    ['SOURCE_UNREACHABLE', status(503)],
    ['SOURCE_INVALID', status(404)],
    ['KEY_MISSING', pem(other.chainPem)],
    ['CERT_MISSING', pem(other.keyPem)],
    ['CERT_KEY_MISMATCH', pem(first.keyPem + other.chainPem)],
    ['PEM_INVALID', pem((other.keyPem + other.chainPem).slice(0, -60))],
  ]
  for (const [code, answer] of failures) {
    service.answer = answer
    const { problems } = await engine.reload()
    assert.equal(problems[0]?.code, code)
    assert.equal(await servedBy(port), first.fingerprint256)
  }
  service.answer = bundle(other, '"2"')
  assert.equal((await engine.reload()).outcome, 'applied')
  assert.equal(await servedBy(port), other.fingerprint256)
  assert.equal(secrets.findIn(JSON.stringify([logger.lines, engine.status()])), undefined)
})

test('delivered trust anchors decide which clients are accepted', async (t) => {
  const [own, successor] = [createAuthority(), createAuthority()]
  let trust = pem(own.certPem, { etag: '"t1"' })
  const identity = bundle(authority.issue(), '"1"')
  const { service, options } = await start(t, (request, response) => {
    const answer = request.url === '/trust' ? trust : identity
    answer(request, response)
  })
  const source = httpsSource({ ...options, trustUrl: `${service.origin}/trust` })
  const engine = await startEngine(t, { source, requestCert: true })
  const port = await serveEcho(t, engine)
  const connect = ({ chainPem, keyPem }: Leaf) =>
    handshake({ port, cert: chainPem, key: keyPem, confirm: true })
  await connect(own.issue())
  await assert.rejects(connect(successor.issue()))

  const applied = nextEvent(engine, 'applied')
  trust = pem(own.certPem + successor.certPem, { etag: '"t2"' })
  await applied
  await connect(own.issue())
  await connect(successor.issue())
})

test('an engine starts as soon as the service answers, and reports what it waits for', async (t) => {
  const leaf = authority.issue()
  const { service, options } = await start(t, status(503))
  const logger = recordingLogger()
  const starting = createReloadEngine({ source: httpsSource(options), logger })
  await eventually('the engine reports that it waits', () => logger.lines.length > 0)
  assert.match(JSON.stringify(logger.lines), /SOURCE_UNREACHABLE.*503/)
  service.answer = bundle(leaf)
  const engine = await starting
  t.after(() => engine.close())
  assert.equal(await servedBy(await serveEcho(t, engine)), leaf.fingerprint256)
})

test('without the service, the start fails in time with the code of the problem', async (t) => {
  const { options, service } = await start(t, status(503, { 'retry-after': '3600' }))
  const engine = createReloadEngine({
    source: httpsSource(options),
    startTimeoutSeconds: 0.2,
    logger: recordingLogger(),
  })
  await assert.rejects(engine, { code: 'SOURCE_UNREACHABLE' })
  assert.equal(service.requests.length, 1)
})

test('a closed engine polls no more', async (t) => {
  const { options, service } = await start(t, bundle(authority.issue(), '"1"'))
  const engine = await createReloadEngine({ source: httpsSource(options), logger: recordingLogger() })
  await nextEvent(engine, 'settled')
  const settled = recordEvents(engine, 'settled')
  await engine.close()
  const { length } = service.requests
  const other = httpsSource(options)
  t.after(() => other.close?.())
  // Several intervals of a source that polls in the same process.
  let polls = 0
  other.watch?.(() => polls++)
  await eventually('other polls', () => polls > 5)
  assert.equal(service.requests.length, length)
  assert.equal(settled.length, 0)
})

async function start(
  t: TestContext,
  answer: Answer,
): Promise<{ service: MaterialService; options: HttpsSourceOptions; secrets: SecretSearch }> {
  const dir = tempDir(t)
  const service = await materialService(t, answer)
  const caFile = join(dir, 'ca.crt')
  const tokenFile = join(dir, 'token')
  writeFileSync(caFile, service.authority.certPem)
  writeFileSync(tokenFile, `${TOKEN}\n`)
  const secrets = new SecretSearch()
  secrets.add('token', TOKEN)
  return {
    service,
    options: { url: `${service.origin}/identity`, caFile, tokenFile, pollSeconds: 0.1 },
    secrets,
  }
}
