/*
 * The real SPIRE: a server and an agent on loopback, and a TLS server and client that are both certswap. Identities live for
 * seconds, so that many rotations take minutes.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import tls from 'node:tls'

import { createDrain } from '../../../src/main/drain/index.js'
import { checkServerIdentity, spiffeSource } from '../../../src/main/sources/spiffe/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { got } from '../../../support/clients/https-text.js'
import { commandsIn } from '../../../support/docs/markdown.js'
import { nextEvent, startEngine } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import { type Spire, startSpire, withoutSpire } from '../../../support/processes/spire.js'
import { listen } from '../../../support/servers/echo-server.js'

const WEB = 'spiffe://example.org/web'
const CLIENT = 'spiffe://example.org/client'
const options = { skip: withoutSpire }

/** SPIRE renews at half of the lifetime plus ten seconds: about every three seconds. */
const SHORT_TTL = 16
const ROTATIONS = 30
/** Clients of the load. */
const CONCURRENCY = 2

test(
  'thirty rotations under load: no handshake fails, and sessions of unchanged trust are resumed',
  options,
  async (t) => {
    const site = await startSite(t, { ttl: SHORT_TTL })
    const { session } = await site.dial()
    const before = site.server.status().generation.number
    const load = site.load()
    await eventually(
      'the rotations',
      () => site.server.status().generation.number >= before + ROTATIONS,
      600_000,
    )
    const { ok, errors } = await load.end()
    assert.deepEqual(errors, [])
    assert.ok(ok > ROTATIONS)
    const { isReused } = await site.dial(session)
    assert.equal(isReused, true, 'the session of the first generation')
    t.diagnostic(
      `${ok} requests over new connections, ${site.server.status().generation.number - before} rotations`,
    )
  },
)

test(
  'the CA of the trust domain is rotated: no peer is lost, and after its end its identities are refused',
  options,
  async (t) => {
    const site = await startSite(t, { ttl: 60 })
    const { cli } = site.spire
    const engines = [site.server, site.client]
    const old = await identityOf(t, site.spire, CLIENT)
    const fingerprints = () => engines.map((one) => one.status().generation.certificates[0]?.fingerprint256)
    const first = fingerprints()
    const load = site.load()
    const authorityId = async (state: string) => {
      const shown = await cli('localauthority', 'x509', 'show')
      return new RegExp(`${state} X.509 authority:\\s+Authority ID: (\\S+)`).exec(shown)?.[1] ?? ''
    }
    const anchors = async (count: number) => {
      const holds = () => engines.every((one) => one.status().generation.trust.authorities === count)
      await eventually(`${count} anchors`, holds, 60_000)
    }
    await anchors(1)
    const oldId = await authorityId('Active')
    let [open, current]: Awaited<ReturnType<typeof site.dial>>[] = []
    const page = commandsIn('docs/sources/spiffe.md').filter((command) => command.startsWith('spire-server'))
    assert.equal(page.length, 4)
    for (const command of page) {
      if (command.includes('revoke')) {
        const areNew = () => fingerprints().every((one, i) => one !== first[i])
        await eventually('new identities', areNew, 120_000)
        open = await site.dial(undefined, old)
        assert.equal(open.isAuthorized, true, 'until the old authority is revoked')
        current = await site.dial(undefined, await identityOf(t, site.spire, CLIENT))
        assert.equal(current.isAuthorized, true)
        assert.deepEqual(load.errors, [])
      }
      const newId = command.includes('NEW') ? await authorityId('Prepared') : ''
      const [, ...args] = command.replace('NEW', newId).replace('OLD', oldId).split(' ')
      await cli(...args)
      if (command.includes('prepare')) await anchors(2)
    }
    await anchors(1)
    assert.equal(await site.admits(old), false)
    await eventually('the open connection of the old identity has ended', () => open?.socket.closed === true)
    assert.deepEqual(current?.socket.closed, false)
    const { ok, errors } = await load.end()
    // Trust shrinks: a handshake that was under way at that moment is closed, and its client connects again.
    assert.ok(errors.length <= CONCURRENCY, errors.join())
    for (const error of errors) assert.match(error, /ECONNRESET|socket hang up|socket disconnected/)
    assert.equal(await site.get(), 'hello')
    t.diagnostic(`${ok} requests`)
  },
)

test('the agent is killed and restarted ten times: traffic is not affected', options, async (t) => {
  const site = await startSite(t)
  const load = site.load()
  for (let round = 0; round < 10; round++) {
    await site.spire.killAgent()
    await eventually('the outage', () => site.server.status().source?.failingSince !== null, 30_000)
    await site.spire.startAgent()
    await eventually('the recovery', () => site.server.status().source?.failingSince === null, 60_000)
  }
  const { ok, errors } = await load.end()
  assert.deepEqual(errors, [])
  assert.ok(ok > 10)
  t.diagnostic(`${ok} requests`)
})

test(
  'an entry that is deleted: the problem is shown, the identity stays in service, and a new entry recovers it',
  options,
  async (t) => {
    const site = await startSite(t)
    const { spire, server } = site
    const failed = nextEvent(server, 'rejected')
    await spire.cli('entry', 'delete', '-entryID', site.entries[0] as string)
    const { problems } = await failed
    // The agent still has another identity for this process, and sends a message with that alone.
    assert.equal(problems[0]?.code, 'SOURCE_WITHDRAWN')
    assert.equal((await site.dial()).isAuthorized, true)

    const denied = nextEvent(server, 'rejected', (result) => result.problems[0]?.code === 'SOURCE_DENIED')
    await spire.cli('entry', 'delete', '-entryID', site.entries[1] as string)
    await denied
    assert.equal((await site.dial()).isAuthorized, true)

    const recovered = nextEvent(server, 'recovered')
    await spire.register({ spiffeId: WEB })
    await recovered
    assert.equal(server.status().state, 'serving')
  },
)

test(
  'a federated domain: its peers are accepted, and an identity of ours that its CA has issued is refused',
  options,
  async (t) => {
    const other = createAuthority({ name: 'other.test' })
    const site = await startSite(t, {
      async prepare(spire) {
        const path = join(tempDir(t), 'other.pem')
        writeFileSync(path, other.certPem)
        await spire.cli('bundle', 'set', '-id', 'spiffe://other.test', '-path', path)
      },
      federatesWith: ['spiffe://other.test'],
    })
    const leafOf = (id: string): Leaf => other.issue({ names: [], uris: [id] })
    assert.equal(await site.admits(leafOf('spiffe://other.test/client')), true)
    assert.equal(await site.admits(leafOf(CLIENT)), false)
    assert.equal((await site.dial()).isAuthorized, true)

    const impostor = https.createServer(materialOf(leafOf(WEB)), (_request, response) =>
      response.end('hello'),
    )
    const port = await listen(t, impostor)
    await assert.rejects(site.get(port), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  },
)

interface SiteOptions {
  readonly ttl?: number
  readonly federatesWith?: readonly string[]
  prepare?(spire: Spire): Promise<void>
}

type Pair = Pick<Leaf, 'chainPem' | 'keyPem'>

/** A server and a client of mutual TLS with identities of SPIRE. */
async function startSite(t: TestContext, { ttl = 3600, federatesWith = [], prepare }: SiteOptions = {}) {
  const spire = await startSpire(t)
  await prepare?.(spire)
  const entries = [
    await spire.register({ spiffeId: WEB, ttl, federatesWith }),
    await spire.register({ spiffeId: CLIENT, ttl, federatesWith }),
  ]
  const engineOf = (id: string) =>
    startEngine(t, { source: spiffeSource({ socket: spire.socket, id }), requestCert: id === WEB })
  const [server, client] = await Promise.all([engineOf(WEB), engineOf(CLIENT)])
  const listener = https.createServer(server.serverOptions(), (_request, response) => response.end('hello'))
  listener.keepAliveTimeout = 600_000
  server.attach(listener)
  const drain = createDrain({
    servers: [listener],
    engine: server,
    onTrustRemoved: 'drain',
    logger: recordingLogger(),
  })
  t.after(() => drain.close())
  const port = await listen(t, listener)
  const check = checkServerIdentity({ engine: client, ids: [WEB] })
  const agent = client.agent({ checkServerIdentity: check })
  const first = client.secureContext()

  const get = (at: number = port) => got({ port: at, agent })
  /** A connection of the first generation of the client, or with a certificate of its own. */
  const dial = async (session?: Buffer, pair?: Pair) => {
    const own = pair ? { ...materialOf(pair), rejectUnauthorized: false } : { secureContext: first }
    const socket = tls.connect({
      ...{ port, host: 'localhost', checkServerIdentity: () => undefined },
      ...{ ...own, ...(session && { session }) },
    })
    t.after(() => socket.destroy())
    let latest = session
    socket.on('session', (one) => {
      latest = one
    })
    const closed = new Promise<boolean>((resolve) => void socket.on('close', () => resolve(false)))
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const answered = new Promise<boolean>((resolve) => void socket.on('data', () => resolve(true)))
    const isAuthorized = await Promise.race([answered, closed])
    return { socket, session: latest, isReused: socket.isSessionReused(), isAuthorized }
  }
  const admits = async (pair: Pair) => {
    const { socket, isAuthorized } = await dial(undefined, pair)
    socket.destroy()
    return isAuthorized
  }
  /** Requests over new connections, {@link CONCURRENCY} at a time, until it ends. */
  const load = () => {
    let isEnding = false
    let ok = 0
    const errors: string[] = []
    const run = async () => {
      while (!isEnding) {
        try {
          assert.equal(await get(), 'hello')
          ok++
        } catch (error) {
          errors.push(String(error))
        }
        await sleep(5)
      }
    }
    const running = Promise.all(Array.from({ length: CONCURRENCY }, run))
    return {
      errors,
      async end() {
        isEnding = true
        await running
        return { ok, errors }
      },
    }
  }
  return { spire, entries, server, client, get, dial, admits, load }
}

/** The identity that the agent delivers now, as a client without certswap has it. */
async function identityOf(t: TestContext, spire: Spire, id: string): Promise<Pair> {
  const source = spiffeSource({ socket: spire.socket, id })
  t.after(() => source.close?.())
  const delivery = await source.read({ version: null, signal: AbortSignal.timeout(30_000) })
  assert.ok(delivery !== 'unchanged')
  const [pair] = delivery.pairs
  return {
    chainPem: pem('CERTIFICATE', pair?.cert as Uint8Array),
    keyPem: pem('PRIVATE KEY', pair?.key as Uint8Array),
  }
}

function materialOf({ chainPem, keyPem }: Pair) {
  return { cert: chainPem, key: keyPem }
}
