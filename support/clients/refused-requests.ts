import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'

import { drainOf, http2Server } from '../servers/drains.js'
import type { Owner } from '../servers/echo-server.js'
import { latencyProxy } from '../servers/latency-proxy.js'
import { GOAWAY, goawayOf, ofType, rawHttp2 } from './raw-http2.js'

/** Half of the round trip between client and server, in milliseconds. */
const ONE_WAY_MS = 15

export interface RefusedRequests {
  readonly sent: number
  readonly refused: number
}

/**
 * Drains a session with a request each millisecond, several times. Requests that are not refused must be answered; refused
 * requests must not reach the application.
 */
export async function refusedRequests(
  t: Owner,
  http2: 'single' | 'two-phase',
  drains: number,
): Promise<RefusedRequests> {
  const count = { sent: 0, refused: 0 }
  for (let round = 0; round < drains; round++) {
    const handled = new Set<number | undefined>()
    const server = http2Server()
    server.on('stream', (stream) => {
      handled.add(stream.id)
      stream.on('error', () => {})
      stream.respond()
      stream.end('answer')
    })
    const { drain, port } = await drainOf(t, server, { http2 })
    const client = await rawHttp2(t, await latencyProxy(t, port, ONE_WAY_MS))
    let next = 1
    // After it has read a GOAWAY, a client uses another connection.
    while (!client.frames.some(ofType(GOAWAY))) {
      client.get(next)
      next += 2
      if (next === 101) drain.start()
      await pause(1)
    }
    await client.ended
    client.socket.end()
    assert.equal((await drain.complete()).outcome, 'drained')

    const last = Math.min(...client.frames.filter(ofType(GOAWAY)).map((frame) => goawayOf(frame).last))
    for (let id = 1; id < next; id += 2) {
      count.sent++
      if (id > last) count.refused++
      else assert.equal(await client.body(id), 'answer')
      assert.equal(handled.has(id), id <= last)
    }
  }
  return count
}
