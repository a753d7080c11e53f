import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import test, { type TestContext } from 'node:test'

import { GoawayTap } from '../../../../src/main/drain/node/goaway-tap.js'
import { eventually } from '../../../../support/base/eventually.js'
import { listen } from '../../../../support/servers/echo-server.js'

const DATA = Buffer.from('000003' + '00' + '00' + '00000001' + '616263', 'hex')
const FIRST_GOAWAY = Buffer.from('000008' + '07' + '00' + '00000000' + '7fffffff' + '00000000', 'hex')

test('a GOAWAY waits for the end of the frame that is being sent', async (t) => {
  const { tap, received } = await tapped(t)
  tap.write(DATA.subarray(0, 4))
  tap.sendFirstGoaway()
  tap.write(DATA.subarray(4, 10))
  tap.write(Buffer.concat([DATA.subarray(10), DATA]))

  const expected = Buffer.concat([DATA, FIRST_GOAWAY, DATA])
  await eventually('all bytes have been received', () => received().length >= expected.length)
  assert.deepEqual(received(), expected)
})

test('between frames a GOAWAY is sent at once, with its debug data, and only once', async (t) => {
  const { tap, received } = await tapped(t)
  tap.write(DATA)
  tap.sendFirstGoaway('abc')
  tap.sendFirstGoaway('xyz')

  const goaway = Buffer.concat([FIRST_GOAWAY, Buffer.from('abc')])
  goaway.writeUIntBE(11, 0, 3)
  const expected = Buffer.concat([DATA, goaway])
  await eventually('all bytes have been received', () => received().length >= expected.length)
  assert.deepEqual(received(), expected)
})

test('all data passes through, and so do the ends of both sides', async (t) => {
  const { tap, peer } = await tapped(t)
  peer.end('hello')
  tap.setEncoding('utf8')
  let text = ''
  for await (const chunk of tap) text += chunk
  assert.equal(text, 'hello')

  const ended = once(peer, 'end')
  tap.end()
  await ended
})

test('a peer that does not read delays the writer', async (t) => {
  const { tap, peer } = await tapped(t)
  peer.pause()
  const chunk = Buffer.alloc(1024 * 1024)
  let written = 0
  while (tap.write(chunk) && written < 100) written++
  assert.ok(written < 100)
  const drained = once(tap, 'drain')
  peer.resume()
  await drained
})

test('when the socket is gone so is the tap, and nothing more is sent', async (t) => {
  const { tap, peer } = await tapped(t)
  const failed = once(tap, 'error')
  peer.resetAndDestroy()
  assert.equal((await failed)[0].code, 'ECONNRESET')
  tap.sendFirstGoaway()
  assert.equal(tap.destroyed, true)
})

/** A tap on one end of a connection, and the output at the other end. */
async function tapped(t: TestContext) {
  const server = net.createServer()
  const port = await listen(t, server)
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const peer = net.connect(port, '127.0.0.1')
  t.after(() => peer.destroy())
  const chunks: Buffer[] = []
  peer.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [socket] = await accepted
  return { tap: new GoawayTap(socket), peer, received: () => Buffer.concat(chunks) }
}
