import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import https from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import test, { type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { createDrain } from '../../../src/main/drain/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { http2Server, httpsServer } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const CLIENTS = 40
const LAG_MS = 500

for (const kind of ['http/1.1', 'both'] as const) {
  test(`40 keep-alive clients behind a slow load balancer lose nothing when a server of ${kind} is drained`, {
    timeout: 60_000,
  }, async (t) => {
    const balancer = new Set<number>()
    const leaving = await backend(t, kind, balancer)
    const staying = await backend(t, kind, balancer)
    const load = startLoad(t, balancer)
    await load.answered(400)

    leaving.drain.start()
    const deregistered = pause(LAG_MS).then(() => balancer.delete(leaving.port))
    const { outcome } = await leaving.drain.complete()
    await deregistered
    await load.answered(load.count() + 400)

    assert.equal(outcome, 'drained')
    assert.deepEqual(load.failures, [])
    assert.ok(load.count(leaving.port) > 100)
    staying.drain.close()
  })
}

/** A server that answers after up to 10 ms and is registered with the balancer. */
async function backend(t: TestContext, kind: 'http/1.1' | 'both', balancer: Set<number>) {
  const answer = (_request: unknown, response: { end(body: string): unknown }) =>
    void setTimeout(() => response.end('answer'), Math.random() * 10)
  const server: Server =
    kind === 'both' ? http2Server({ allowHTTP1: true }).on('request', answer) : httpsServer(answer)
  const drain = createDrain({
    servers: [server],
    logger: recordingLogger(),
    lameDuckMs: LAG_MS + 200,
    deadlineMs: 20_000,
  })
  t.after(() => drain.close())
  await listen(t, server)
  const { port } = server.address() as AddressInfo
  balancer.add(port)
  return { drain, port }
}

/** Clients that send requests to one backend after another, over connections that each keeps. */
function startLoad(t: TestContext, balancer: ReadonlySet<number>) {
  const agent = new https.Agent({ keepAlive: true, maxSockets: CLIENTS })
  const failures: string[] = []
  const counts = new Map<number, number>()
  let waiting: (() => void) | null = null
  let stopped = false
  const count = (port?: number) =>
    port === undefined ? [...counts.values()].reduce((sum, one) => sum + one, 0) : (counts.get(port) ?? 0)
  const client = async (turn: number) => {
    for (let i = turn; !stopped; i++) {
      const ports = [...balancer]
      const port = ports[i % ports.length] as number
      try {
        await get(agent, port)
        counts.set(port, count(port) + 1)
      } catch (error) {
        failures.push(String(error))
      }
      waiting?.()
    }
  }
  const clients = Array.from({ length: CLIENTS }, (_, turn) => client(turn))
  t.after(async () => {
    stopped = true
    await Promise.all(clients)
    agent.destroy()
  })
  return {
    failures,
    count,
    /** Resolves after this many answers. */
    answered: (wanted: number) =>
      new Promise<void>((resolve) => {
        waiting = () => {
          if (count() >= wanted) resolve()
        }
      }),
  }
}

async function get(agent: https.Agent, port: number): Promise<void> {
  const request = https.get({ agent, port, host: '127.0.0.1', rejectUnauthorized: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  if (body !== 'answer') throw new Error(`cut short: ${body}`)
}
