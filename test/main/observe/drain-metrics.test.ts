import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'

import { Registry } from 'prom-client'

import { followDrain } from '../../../src/main/observe/drain-metrics.js'
import {
  connectTls,
  drainOf,
  http2Client,
  httpsServer,
  pausedHttp2,
  pausedHttps,
} from '../../../support/servers/drains.js'

test('a running drain has metrics for its connections, its GOAWAYs and its duration', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server)
  const registry = new Registry()
  followDrain(drain, registry)
  const stream = http2Client(t, port).request({ ':path': '/' })
  const answer = await streams.next()
  assert.deepEqual(await shown(registry), { draining: 0, http2: 1, goaways: 0, forced: 0, duration: false })

  drain.start()
  assert.deepEqual(await shown(registry), { draining: 1, http2: 1, goaways: 1, forced: 0, duration: false })
  answer.respond()
  answer.end()
  stream.resume()
  await Promise.all([once(stream, 'close'), drain.complete()])
  assert.deepEqual(await shown(registry), { draining: 1, http2: 0, goaways: 1, forced: 0, duration: true })
})

test('connections that were cut are counted, by protocol', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const registry = new Registry()
  followDrain(drain, registry)
  const client = await connectTls(t, port)
  client.on('error', () => {}).write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await requests.next()
  drain.start({ deadlineMs: 0 })
  await drain.complete()
  const text = await registry.metrics()
  assert.match(text, /^certswap_drain_forced_connections_total\{protocol="http1"\} 1$/m)
  assert.match(text, /^certswap_drain_forced_connections_total\{protocol="tracked"\} 0$/m)
})

test('a drain that is no longer followed is not counted', async (t) => {
  const { drain } = await drainOf(
    t,
    httpsServer(() => {}),
  )
  const registry = new Registry()
  followDrain(drain, registry).stop()
  drain.start()
  await drain.complete()
  assert.equal((await shown(registry)).duration, false)
})

async function shown(registry: Registry) {
  const text = await registry.metrics()
  const value = (series: string) => Number(new RegExp(`^certswap_${series} (\\S+)$`, 'm').exec(text)?.[1])
  return {
    draining: value('draining'),
    http2: value('drain_connections\\{protocol="http2"\\}'),
    goaways: value('goaway_sent_total'),
    forced: value('drain_forced_connections_total\\{protocol="http2"\\}'),
    duration: value('drain_duration_seconds') > 0,
  }
}
