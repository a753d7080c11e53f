import assert from 'node:assert/strict'
import { once } from 'node:events'
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import test from 'node:test'

import { refuseStreamsAbove, resetStream } from '../../../../src/main/drain/node/reset-stream.js'
import { isLast, ofType, RST_STREAM, rawHttp2 } from '../../../../support/clients/raw-http2.js'
import { pausedHttp2 } from '../../../../support/servers/drains.js'
import { listen } from '../../../../support/servers/echo-server.js'

test('a reset stream ends with the reset and without anything that looks like the end of a body', async (t) => {
  const { server, streams } = pausedHttp2()
  const client = await rawHttp2(t, await listen(t, server))
  client.get(1)
  const stream = await streams.next()
  stream.respond()
  stream.write('half')
  resetStream(stream)

  const reset = await client.frame(ofType(RST_STREAM))
  assert.equal(reset.payload.readUInt32BE(0), constants.NGHTTP2_CANCEL)
  assert.equal(client.frames.some(isLast), false)
  assert.equal(Object.hasOwn(stream, 'end'), false)
})

test('a stream that has ended is not changed', async (t) => {
  const { server, streams } = pausedHttp2()
  const client = await rawHttp2(t, await listen(t, server))
  client.get(1)
  const stream = await streams.next()
  stream.respond()
  stream.end('whole')
  await once(stream, 'close')
  resetStream(stream)

  assert.equal(await client.body(1), 'whole')
  assert.equal(client.frames.some(ofType(RST_STREAM)), false)
})

test('streams above the last one are refused without the application, and the others are not', async (t) => {
  const { server, streams } = pausedHttp2()
  const sessions = once(server, 'session') as Promise<[ServerHttp2Session]>
  const client = await rawHttp2(t, await listen(t, server))
  const [session] = await sessions
  refuseStreamsAbove(session, 1)
  client.get(1)
  client.get(3)
  const served: ServerHttp2Stream = await streams.next()
  served.respond()
  served.end('served')

  const reset = await client.frame(ofType(RST_STREAM))
  assert.deepEqual([reset.stream, reset.payload.readUInt32BE(0)], [3, constants.NGHTTP2_REFUSED_STREAM])
  assert.equal(await client.body(1), 'served')
  assert.equal(streams.waiting, 0)
})
