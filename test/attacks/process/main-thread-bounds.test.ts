import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'

import { createDrain } from '../../../src/main/drain/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority().issueAuthority()
const leaf = authority.issue()
const identity = { cert: leaf.chainPem, key: leaf.keyPem }

const CONNECTIONS = 96
/** No turn of the event loop may handle more of these connections. */
const MOST_A_TURN = CONNECTIONS / 4

test('closing many idle HTTP/1.1 connections does not block the event loop', async (t) => {
  const server = https.createServer({ ...identity, keepAliveTimeout: 0 })
  const { drain, sockets } = await drained(t, server, ['http/1.1'])
  const ends = turns(t)
  for (const socket of sockets) watch(socket, 'end', ends.note)
  drain.start()
  const { closed } = await drain.complete()
  assert.equal(closed.http1, CONNECTIONS)
  assertSpread(ends.counts())
})

test('sending GOAWAY to many idle HTTP/2 sessions does not block the event loop', async (t) => {
  const { drain } = await drained(t, http2.createSecureServer(identity), ['h2'])
  const goaways = turns(t)
  drain.on('goaway', goaways.note)
  drain.start()
  await eventually('every session has its GOAWAY', () => goaways.total() === CONNECTIONS)
  drain.force()
  await drain.complete()
  assertSpread(goaways.counts())
})

test('close notices that are spread over time keep their distance, even if timers fire late', async (t) => {
  const server = tls.createServer(identity)
  const notices = turns(t)
  const { drain } = await drained(t, server, undefined, {
    spreadMs: 60,
    onRaw: (socket) => {
      notices.note()
      socket.end()
    },
  })
  drain.start()
  // After a block of the event loop, all close notices of that time are due at once.
  const until = performance.now() + 100
  while (performance.now() < until) {}
  const { closed } = await drain.complete()
  assert.equal(closed.raw, CONNECTIONS)
  assertSpread(notices.counts())
})

test('cutting many connections does not block the event loop, and cuts every one, even during the close notices', async (t) => {
  const server = https.createServer({ ...identity, keepAliveTimeout: 0 })
  const { drain, sockets } = await drained(t, server, ['http/1.1'])
  const cuts = turns(t)
  for (const socket of sockets) watch(socket, 'destroy', cuts.note)
  drain.start({ deadlineMs: 0 })
  const { outcome, forced } = await drain.complete()
  assert.deepEqual([outcome, forced.http1], ['forced', CONNECTIONS])
  assertSpread(cuts.counts())

  const again = await drained(t, https.createServer({ ...identity, keepAliveTimeout: 0 }), ['http/1.1'])
  again.drain.start()
  setImmediate(() => again.drain.force())
  const result = await again.drain.complete()
  assert.ok(result.forced.http1 > 0)
  assert.equal(result.closed.http1 + result.forced.http1, CONNECTIONS)
  assert.equal(again.drain.connections().http1, 0)
})

test('a renewal loads no revocation list again; large lists are loaded one per turn, and at most twice for each trust', async (t) => {
  const { engine, renew, loads } = await withLists(t, [largeList()])
  const lists = Array.from({ length: 3 }, () => largeList(createAuthority()))
  writeFileSync(loads.path, [largeList(), ...lists].join(''))
  const before = loads.turns.length
  assertApplied(await engine.reload())
  for (let i = 0; i < 3; i++) {
    // A spare is prepared in the time after a commit.
    await new Promise((resolve) => setTimeout(resolve, 60))
    renew()
    assertApplied(await engine.reload())
  }
  const since = loads.turns.slice(before)
  assert.ok(since.length <= 2 * 4, `${since.length} loads`)
  assert.equal(new Set(since).size, since.length)
})

test('a revocation list that would block the event loop is refused before it is loaded, and named', async (t) => {
  const { engine, loads } = await withLists(t, [largeList()])
  const before = loads.turns.length
  writeFileSync(loads.path, largeList(authority, 20_000))
  const { outcome, problems } = await engine.reload()
  assert.deepEqual(
    [outcome, problems.map(({ code, path }) => [code, path])],
    ['rejected', [['CRL_TOO_LARGE', loads.path]]],
  )
  assert.equal(loads.turns.length, before)
})

test('no list of names or trust anchors makes a log line long', async (t) => {
  const dir = tempDir(t)
  const names = (domain: string) => Array.from({ length: 300 }, (_, i) => `host-${i}.${domain}`)
  const logger = recordingLogger()
  const files = writePair(dir, authority.issue({ names: names('before.example') }))
  const engine = await startEngine(t, { ...files, logger, verifyServed: false })
  writePair(dir, authority.issue({ names: names('after.example') }))
  assertApplied(await engine.reload())
  assert.equal(engine.status().generation.certificates[0]?.names.length, 300)
  const longest = Math.max(...logger.lines.map((line) => JSON.stringify(line).length))
  assert.ok(longest < 6_000, `${longest} characters`)
})

interface Turns {
  /** Records an occurrence in the current turn. */
  readonly note: () => void
  /** How often, for each turn in which it occurred. */
  counts(): number[]
  total(): number
}

/** Counts the occurrences in each turn of the event loop. */
function turns(t: TestContext): Turns {
  const counts = new Map<number, number>()
  const clock = turnClock(t)
  return {
    note: () => counts.set(clock(), (counts.get(clock()) ?? 0) + 1),
    counts: () => [...counts.values()],
    total: () => [...counts.values()].reduce((sum, count) => sum + count, 0),
  }
}

/** Distinguishes the turns of the event loop. */
function turnClock(t: TestContext): () => number {
  let turn = 0
  let immediate: NodeJS.Immediate
  const tick = () => {
    turn++
    immediate = setImmediate(tick)
  }
  tick()
  t.after(() => clearImmediate(immediate))
  return () => turn
}

function assertSpread(counts: readonly number[]): void {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const most = Math.max(...counts)
  assert.ok(total >= CONNECTIONS, `${total} in all`)
  assert.ok(most <= MOST_A_TURN, `${most} in one turn`)
}

function watch(socket: TLSSocket, method: 'end' | 'destroy', note: () => void): void {
  const original = socket[method] as (...args: unknown[]) => Socket
  let noted = false
  const watched = (...args: unknown[]) => {
    if (!noted) note()
    noted = true
    return original.apply(socket, args)
  }
  Object.assign(socket, { [method]: watched })
}

type MoreDrainOptions = Partial<Parameters<typeof createDrain>[0]>

/** A drain of a server with many connected clients. */
async function drained(
  t: TestContext,
  server: Server,
  alpn: readonly string[] | undefined,
  more: MoreDrainOptions = {},
) {
  const drain = createDrain({ servers: [server], logger: recordingLogger(), deadlineMs: 60_000, ...more })
  t.after(() => drain.close())
  const sockets: TLSSocket[] = []
  server.on('secureConnection', (socket: TLSSocket) => {
    sockets.push(socket.on('error', () => {}))
    socket.resume()
  })
  const port = await listen(t, server)
  await Promise.all(Array.from({ length: CONNECTIONS }, () => connectIdly(t, port, alpn)))
  await eventually('every connection has been accepted', () => sockets.length === CONNECTIONS)
  // New connections get time for a first request.
  await new Promise((resolve) => setTimeout(resolve, 550))
  return { drain, sockets }
}

async function connectIdly(t: TestContext, port: number, alpn: readonly string[] = []): Promise<void> {
  if (alpn.includes('h2')) {
    const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    t.after(() => session.destroy())
    await once(
      session.on('error', () => {}),
      'remoteSettings',
    )
    return
  }
  const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: [...alpn] })
  t.after(() => client.destroy())
  await once(client.on('error', () => {}).resume(), 'secureConnect')
}

/** About 130 KiB of PEM by default. */
function largeList(issuer = authority, entries = 3_500): string {
  const revoked = Array.from({ length: entries }, (_, i) => (0x0100_0000_0000_0000n + BigInt(i)).toString(16))
  return issuer.crl({ revoked })
}

async function withLists(t: TestContext, lists: readonly string[]) {
  const dir = tempDir(t)
  const path = join(dir, 'ca.crl')
  writeFileSync(join(dir, 'ca.pem'), authority.certPem)
  writeFileSync(path, lists.join(''))
  const loads = { path, turns: loadsOfLists(t) }
  const files = { ...writePair(dir, leaf), ca: join(dir, 'ca.pem'), crl: path }
  const engine = await startEngine(t, { ...files, requestCert: true, verifyServed: false })
  await serveEcho(t, engine)
  // For the engine's context, for the context of the new server, and for the spare.
  await eventually('the spare is ready', () => loads.turns.length === 3 * lists.length)
  const renew = () => writePair(dir, authority.issue())
  return { engine, renew, loads }
}

/** The turns of the event loop of this thread in which a list is added to a context. */
function loadsOfLists(t: TestContext): number[] {
  const handle = Object.getPrototypeOf(tls.createSecureContext({ ca: [] }).context) as {
    addCRL: (pem: Uint8Array) => void
  }
  const original = handle.addCRL
  const clock = turnClock(t)
  const loads: number[] = []
  handle.addCRL = function addCRL(pem) {
    loads.push(clock())
    original.call(this, pem)
  }
  t.after(() => {
    handle.addCRL = original
  })
  return loads
}
