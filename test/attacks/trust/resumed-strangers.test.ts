/*
 * On a server that requests certificates and does not require them, the application decides by `socket.authorized`. Before
 * nodejs/node#64677 a client without a certificate became authorized by resuming its TLS 1.3 session.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'

import { createDrain } from '../../../src/main/drain/index.js'
import type { ReloadEngine } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { clientOf } from '../../../support/engine/peer-site.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

const [authority, otherAuthority] = [createAuthority(), createAuthority()]
const known = clientOf(authority)
const unknown = clientOf(otherAuthority)

/** Servers that answer with the value that their application reads, `true` or `false`. */
const SERVERS: Readonly<Record<string, (options: tls.TlsOptions) => tls.Server>> = {
  tls: (options) =>
    tls.createServer(options, (socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write(verdict(socket)))
    }),
  https: (options) =>
    https.createServer(options, (request, response) => {
      response.end(verdict(request.socket as TLSSocket))
    }),
  http2: (options) =>
    http2.createSecureServer({ ...options, allowHTTP1: true }, (request, response) => {
      response.end(verdict((request.stream?.session?.socket ?? request.socket) as TLSSocket))
    }),
}

function verdict({ authorized, authorizationError }: TLSSocket): string {
  return `authorized ${authorized}, ${authorizationError}`
}

/** Ways in which a server is attached to the engine, and whether it is detached. */
const LIVES: Readonly<Record<string, (engine: ReloadEngine, server: tls.Server) => Promise<void>>> = {
  'is attached': async (engine, server) => void engine.attach(server),
  'was detached': async (engine, server) => engine.attach(server)(),
  'was detached and attached again': async (engine, server) => {
    engine.attach(server)()
    engine.attach(server)
  },
  'is drained and was attached before': async (engine, server) => {
    engine.attach(server)
    createDrain({ servers: [server], engine, logger: recordingLogger() })
  },
  'has an engine that was closed': async (engine, server) => {
    engine.attach(server)
    await engine.close()
  },
  'was never attached': async () => {},
}

for (const [kind, create] of Object.entries(SERVERS)) {
  test(`resumption never authorizes a client that was not authorized by a full handshake: node:${kind}`, async (t) => {
    for (const [life, live] of Object.entries(LIVES)) {
      const { engine } = await start(t)
      const server = create(engine.serverOptions())
      await live(engine, server)
      const port = await listen(t, server)
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const where = `a server that ${life}, over ${version}`
        await assertSameVerdicts(port, version, where, life !== 'was never attached')
      }
    }
  })
}

test('a server with custom callbacks, and one that listened before it was attached, authorize no client by resumption', async (t) => {
  const { engine, dir, pair } = await start(t)
  const byHand = SERVERS['tls']?.({
    ...pair,
    ca: authority.certPem,
    requestCert: true,
    rejectUnauthorized: false,
  })
  const before = SERVERS['tls']?.(engine.serverOptions())
  for (const server of [byHand, before] as tls.Server[]) {
    const port = await listen(t, server)
    engine.attach(server)
    await assertSameVerdicts(port, 'TLSv1.3', 'attached')
    writePair(dir, authority.issue())
    assertApplied(await engine.reload())
    await assertSameVerdicts(port, 'TLSv1.3', 'reloaded')
  }
})

test('a client with a certificate stays authorized when it resumes', async (t) => {
  const { engine } = await start(t)
  const server = SERVERS['https']?.(engine.serverOptions()) as tls.Server
  engine.attach(server)
  const port = await listen(t, server)
  const { session, reused } = await ask(port, { ...known, version: 'TLSv1.3' })
  assert.equal(reused, false)
  const again = await ask(port, { ...known, version: 'TLSv1.3', session })
  assert.deepEqual([again.reused, again.verdict], [true, 'authorized true, null'])
})

test('an HTTP/2 session has the corrected value', async (t) => {
  const { engine } = await start(t)
  const server = http2.createSecureServer(engine.serverOptions())
  const seen: string[] = []
  server.on('session', (session) => seen.push(verdict(session.socket as TLSSocket)))
  engine.attach(server)
  const port = await listen(t, server)
  let ticket: Buffer | undefined
  for (let i = 0; i < 2; i++) {
    const session = http2.connect(`https://localhost:${port}`, {
      ...{ host: '127.0.0.1', rejectUnauthorized: false },
      ...(ticket ? { session: ticket } : {}),
    })
    // Not on the second one: a session that arrives after its end cannot be taken from the socket of the destroyed session.
    const arrived = ticket ? null : once(session.socket, 'session')
    await Promise.all([once(session, 'remoteSettings'), arrived])
    if (arrived) ticket = ((await arrived) as [Buffer])[0]
    else assert.equal((session.socket as TLSSocket).isSessionReused(), true)
    session.destroy()
  }
  assert.deepEqual(seen, Array(2).fill('authorized false, UNABLE_TO_GET_ISSUER_CERT'))
})

/** Clients of every kind get the same verdict with and without resumption. */
async function assertSameVerdicts(
  port: number,
  version: 'TLSv1.2' | 'TLSv1.3',
  where: string,
  resumes = true,
): Promise<void> {
  for (const [client, identity, authorized] of [
    ['a client without a certificate', {}, false],
    ['a client of an unknown CA', unknown, false],
    ['a client of the CA', known, true],
  ] as const) {
    const first = await ask(port, { ...identity, version })
    assert.equal(
      first.verdict.startsWith(`authorized ${authorized}`),
      true,
      `${client} at ${where}: ${first.verdict}`,
    )
    const again = await ask(port, { ...identity, version, session: first.session })
    assert.equal(again.verdict, first.verdict, `${client} that returns (${again.reused}) at ${where}`)
    if (resumes) assert.equal(again.reused, true, `${client} at ${where} does not resume`)
  }
}

interface Asker {
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  readonly cert?: string
  readonly key?: string
  readonly session?: Buffer | undefined
}

async function ask(
  port: number,
  { version, session, ...identity }: Asker,
): Promise<{ verdict: string; reused: boolean; session: Buffer | undefined }> {
  const seen = await handshake({
    ...{ port, ...identity, minVersion: version, maxVersion: version },
    ...(session ? { session } : {}),
    ...{ confirm: true, waitForSession: false, alpn: ['http/1.1'] },
  })
  const verdict = /authorized [^\r\n]*/.exec(seen.answer ?? '')?.[0] ?? String(seen.answer)
  return { verdict, reused: seen.reused, session: seen.session }
}

async function start(t: TestContext) {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.pem')
  overwriteInPlace(ca, authority.certPem)
  const leaf = authority.issue()
  const files = writePair(dir, leaf)
  const engine = await startEngine(t, {
    ...{ ...files, ca, requestCert: true, rejectUnauthorized: false, verifyServed: false },
  })
  return { engine, dir, pair: { cert: leaf.chainPem, key: leaf.keyPem } }
}
