/*
 * Data in transit while certificates change arrives completely: pumps on raw TLS connections and on HTTP/2 streams run during
 * the reloads. After ghostunnel's reload-under-load suite.
 */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import http2 from 'node:http2'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'

import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()
const PUMPS = 4
const RELOADS = 5

test('bytes that are in transit during reloads arrive completely and in order', async (t) => {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, authority.issue()))
  const echoPort = await serveEcho(t, engine)
  const server = http2.createSecureServer(engine.serverOptions())
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 })
    stream.pipe(stream)
  })
  engine.attach(server)
  const http2Port = await listen(t, server)

  const session = http2.connect(`https://localhost:${http2Port}`, { ca: authority.certPem })
  const streams = Array.from({ length: PUMPS }, () => session.request({ ':method': 'POST' }))
  const clients = await Promise.all(
    Array.from({ length: PUMPS }, () => handshake({ port: echoPort, keepOpen: true })),
  )
  const pumps = [...streams, ...clients.map(({ socket }) => socket)].map(startPump)
  for (let round = 0; round < RELOADS; round++) {
    writePair(dir, authority.issue())
    assertApplied(await engine.reload())
    await Promise.all(pumps.map(({ moved }) => moved()))
  }
  for (const { sent, received } of await Promise.all(pumps.map(({ stop }) => stop()))) {
    assert.equal(received, sent)
  }

  await Promise.all(clients.map(({ close }) => close()))
  for (const stream of streams) stream.end()
  session.close()
  await once(session, 'close')
})

interface Pump {
  /** Resolves when a chunk has been echoed that was sent after this call. */
  moved(): Promise<void>
  /** Ends after the current chunk, with digests of all bytes sent and of all bytes received. */
  stop(): Promise<{ sent: string; received: string }>
}

/** Sends random chunks over an echo connection, each one when the previous one has returned. */
function startPump(stream: Duplex): Pump {
  const sent = createHash('sha256')
  const received = createHash('sha256')
  const rounds = new EventEmitter()
  let missing = 0
  let running = true

  const send = (): void => {
    const chunk = randomBytes(CHUNK_BYTES)
    sent.update(chunk)
    missing += chunk.length
    stream.write(chunk)
  }
  stream.on('data', (chunk: Buffer) => {
    received.update(chunk)
    missing -= chunk.length
    if (missing > 0) return
    rounds.emit('round')
    if (running) send()
  })
  stream.on('close', () => rounds.emit('error', new Error('the connection was closed under the pump')))
  rounds.on('error', () => {})
  send()

  return {
    async moved() {
      assert.equal(stream.destroyed, false)
      await once(rounds, 'round')
      await once(rounds, 'round')
    },
    async stop() {
      assert.equal(stream.destroyed, false)
      running = false
      await once(rounds, 'round')
      return { sent: sent.digest('hex'), received: received.digest('hex') }
    },
  }
}

/** More than a TLS record and an HTTP/2 frame hold. */
const CHUNK_BYTES = 64 * 1024
