/*
 * The relation of servers and engines: servers are attached, detached, closed and listen again, engines end, and a new
 * connection gets a complete certificate at every moment. (A new connection on a context that was freed too early crashes the
 * process.)
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type tls from 'node:tls'

import type { ReloadEngine } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import {
  assertApplied,
  nextEvent,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()

test('two engines with one listener each reload independently', async (t) => {
  const [one, two] = [await rotatingEngine(t), await rotatingEngine(t)]
  const [portOne, portTwo] = [await serveEcho(t, one.engine), await serveEcho(t, two.engine)]
  const newOne = await one.rotate()
  assert.deepEqual([await servedBy(portOne), await servedBy(portTwo)], [newOne, two.first])
  assert.equal((await two.engine.reload()).outcome, 'unchanged')
  const newTwo = await two.rotate()
  assert.deepEqual([await servedBy(portOne), await servedBy(portTwo)], [newOne, newTwo])
  assert.deepEqual([one.engine.status().generation.number, two.engine.status().generation.number], [2, 2])
})

test('two engines with timers reload independently, and continue when the other one ends', async (t) => {
  const [one, two] = [await rotatingEngine(t, 0.05), await rotatingEngine(t, 0.05)]
  const [portOne, portTwo] = [await serveEcho(t, one.engine), await serveEcho(t, two.engine)]
  const [newOne, newTwo] = await Promise.all([one.rotate(), two.rotate()])
  assert.deepEqual([await servedBy(portOne), await servedBy(portTwo)], [newOne, newTwo])
  await one.engine.close()
  const newest = await two.rotate()
  assert.deepEqual([await servedBy(portOne), await servedBy(portTwo)], [newOne, newest])
})

test('a server of one engine is refused by another until it is detached', async (t) => {
  const [one, two] = [await rotatingEngine(t), await rotatingEngine(t)]
  const server = createEcho(one.engine.serverOptions())
  const port = await listen(t, server)
  const detach = one.engine.attach(server)
  assert.throws(() => two.engine.attach(server), { name: 'ReloadError', code: 'OPTIONS_INVALID' })
  assert.equal(await servedBy(port), one.first)
  assert.equal(two.engine.status().servers, 0)
  detach()
  two.engine.attach(server)
  assert.equal(await servedBy(port), two.first)
  await one.rotate()
  const latest = await two.rotate()
  assert.equal(await servedBy(port), latest)
})

test('the servers of an engine that has ended may be attached to another one, including closed ones', async (t) => {
  const [one, two] = [await rotatingEngine(t), await rotatingEngine(t)]
  const open = createEcho(one.engine.serverOptions())
  const closed = createEcho(one.engine.serverOptions())
  const port = await listen(t, open)
  await listen(t, closed)
  one.engine.attach(open)
  one.engine.attach(closed)
  await closeServer(closed)
  await one.engine.close()
  two.engine.attach(open)
  two.engine.attach(closed)
  const latest = await two.rotate()
  assert.equal(await servedBy(port), latest)
  assert.equal(await servedBy(await listen(t, closed)), latest)
})

test('only TLS servers can be attached', async (t) => {
  const { engine } = await rotatingEngine(t)
  for (const wrong of [http.createServer(), {}, undefined]) {
    assert.throws(() => engine.attach(wrong as unknown as tls.Server), { code: 'OPTIONS_INVALID' })
  }
})

test('attaching a server twice is attaching it once', async (t) => {
  const { engine, first, rotate } = await rotatingEngine(t)
  const server = createEcho(engine.serverOptions())
  const detach = engine.attach(server)
  assert.equal(engine.attach(server), detach)
  assert.equal(engine.status().servers, 1)
  const port = await listen(t, server)
  detach()
  await rotate()
  assert.equal(await servedBy(port), first)
})

test('a server that is attached late serves the current certificate, not the one that it was created with', async (t) => {
  const { engine, rotate } = await rotatingEngine(t)
  const server = createEcho(engine.serverOptions())
  const port = await listen(t, server)
  const latest = await rotate()
  engine.attach(server)
  assert.equal(await servedBy(port), latest)
})

test('a detached server keeps its certificate, while others are renewed', async (t) => {
  const { engine, first, rotate } = await rotatingEngine(t)
  const server = createEcho(engine.serverOptions())
  const detach = engine.attach(server)
  const [left, stayed] = [await listen(t, server), await serveEcho(t, engine)]
  detach()
  for (let round = 0; round < 3; round++) {
    const latest = await rotate()
    await freed()
    assert.deepEqual([await servedBy(left), await servedBy(stayed)], [first, latest])
  }
  detach()
  assert.equal(engine.status().servers, 1)
})

test('a server that was detached can be attached again and is current at once', async (t) => {
  const { engine, rotate } = await rotatingEngine(t)
  const server = createEcho(engine.serverOptions())
  const port = await listen(t, server)
  engine.attach(server)()
  const second = await rotate()
  engine.attach(server)
  assert.equal(await servedBy(port), second)
  const third = await rotate()
  await freed()
  assert.equal(await servedBy(port), third)
})

test('a second call of a detach function does not detach the server from its next engine', async (t) => {
  const [one, two] = [await rotatingEngine(t), await rotatingEngine(t)]
  const server = createEcho(one.engine.serverOptions())
  const port = await listen(t, server)
  const usedUp = one.engine.attach(server)
  usedUp()
  one.engine.attach(server)
  usedUp()
  const second = await one.rotate()
  assert.equal(await servedBy(port), second)
  one.engine.attach(server)()
  two.engine.attach(server)
  usedUp()
  assert.throws(() => one.engine.attach(server), { code: 'OPTIONS_INVALID' })
  const latest = await two.rotate()
  assert.equal(await servedBy(port), latest)
})

test('the servers of an engine that has ended continue to serve', async (t) => {
  const { engine, rotate } = await rotatingEngine(t)
  const port = await serveEcho(t, engine)
  const latest = await rotate()
  await engine.close()
  await freed()
  assert.equal(await servedBy(port), latest)
  assert.throws(() => engine.attach(createEcho({})), { code: 'CLOSED' })
  assert.throws(() => engine.serverOptions(), { code: 'CLOSED' })
  assert.equal(engine.status().state, 'closed')
})

test('a server that was closed and listens again serves the current certificate, and is renewed again', async (t) => {
  const { engine, rotate } = await rotatingEngine(t)
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  await listen(t, server)
  await closeServer(server)
  assert.equal(engine.status().servers, 0)
  await rotate()
  const second = await rotate()
  await freed()
  const port = await listen(t, server)
  assert.equal(engine.status().servers, 1)
  assert.equal(await servedBy(port), second)
  const third = await rotate()
  await freed()
  assert.equal(await servedBy(port), third)
})

test('a server that listens again during a reload is included in it', async (t) => {
  const { engine, rotate } = await rotatingEngine(t)
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  await listen(t, server)
  for (let turns = 0; turns < 900; turns += 150) {
    await closeServer(server)
    const rotated = rotate()
    for (let i = 0; i < turns; i++) await turn()
    const port = await listen(t, server)
    const latest = await rotated
    assert.equal(await servedBy(port), latest)
  }
})

test('serverOptions() without attach() causes one warning', async (t) => {
  const { engine, rotate, warnings } = await rotatingEngine(t)
  await rotate()
  assert.deepEqual(warnings(), [])
  await listen(t, createEcho(engine.serverOptions()))
  await rotate()
  await rotate()
  assert.equal(warnings().length, 1)
  assert.match(warnings()[0] ?? '', /engine\.attach\(server\)/)
})

test('attaching in time causes no warning', async (t) => {
  const { engine, rotate, warnings } = await rotatingEngine(t)
  await serveEcho(t, engine)
  await rotate()
  assert.deepEqual(warnings(), [])
})

interface RotatingEngine {
  readonly engine: ReloadEngine
  readonly first: string
  /** Renews the pair and returns its fingerprint once it is served. */
  rotate(): Promise<string>
  /** The log lines about servers. */
  warnings(): string[]
}

async function rotatingEngine(t: TestContext, autoReloadInterval = 0): Promise<RotatingEngine> {
  const dir = tempDir(t)
  const leaf = authority.issue()
  const logger = recordingLogger()
  const engine = await startEngine(t, { ...writePair(dir, leaf), autoReloadInterval, logger })
  return {
    engine,
    first: leaf.fingerprint256,
    async rotate() {
      const next = authority.issue()
      const applied = nextEvent(engine, 'applied')
      writePair(dir, next)
      if (autoReloadInterval === 0) assertApplied(await engine.reload())
      await applied
      return next.fingerprint256
    },
    warnings: () =>
      logger.lines
        .filter(({ level }) => level === 'warn')
        .map(({ message }) => message)
        .filter((text) => /server/.test(text)),
  }
}

/** Contexts that are no longer needed are freed in a later turn. */
async function freed(): Promise<void> {
  await turn()
  await turn()
}

async function closeServer(server: tls.Server): Promise<void> {
  server.close()
  await once(server, 'close')
}
