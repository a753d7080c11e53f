import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

import { type Feeding, feedInPieces } from '../../../src/main/control/feed-in-pieces.js'
import { listen } from '../../../support/servers/echo-server.js'

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
const READ_ALL: Feeding = { interest: () => 'all', turn: async () => {} }

test(`Node ${process.version} parses requests with listeners of \`data\`, and stops reading by itself beside another listener`, async (t) => {
  let parsers = 0
  const pieces: number[] = []
  const server = answering((socket) => {
    const listeners = socket.listeners('data') as ((piece: Buffer) => void)[]
    parsers = listeners.length
    for (const parse of listeners) {
      socket.off('data', parse)
      socket.on('data', (piece: Buffer) => {
        pieces.push(piece.length)
        for (let at = 0; at < piece.length; at++) parse.call(socket, piece.subarray(at, at + 1))
      })
    }
  })
  assert.match(await answerOf(await listen(t, server)), /^HTTP\/1\.1 200 /)
  assert.deepEqual([parsers, pieces], [1, [REQUEST.length]])
})

test('if Node parses requests by other means, they are still answered', async (t) => {
  const server = answering((socket) => {
    socket.listeners = () => []
    feedInPieces(socket, READ_ALL)
  })
  assert.match(await answerOf(await listen(t, server)), /^HTTP\/1\.1 200 /)
})

function answering(onConnection: (socket: Socket) => void): http.Server {
  return http.createServer((_request, response) => response.end('answer')).on('connection', onConnection)
}

async function answerOf(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(REQUEST)
  return await text(socket)
}
