import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import test from 'node:test'

import { closeWebSockets } from '../../../src/main/drain/index.js'

const stream = new PassThrough()
const notice = { uri: undefined, reason: 'deploy', remainingMs: 1_000 }

test('a WebSocket that the application accepts after the close notice is closed then', () => {
  const server = new EventEmitter()
  const closed: unknown[][] = []
  const hook = closeWebSockets(server)
  const request = {} as IncomingMessage
  hook(stream, notice, request)
  assert.equal(closed.length, 0)
  server.emit('connection', { close: (...args: unknown[]) => closed.push(args) }, request)

  assert.deepEqual(closed, [[1001, 'deploy']])
})

test('a redirect takes precedence over the reason, and a text that is too long is omitted', () => {
  const server = new EventEmitter()
  const closed: unknown[][] = []
  const hook = closeWebSockets(server, 1012)
  for (const [uri, reason] of [
    ['https://a.example/', 'deploy'],
    [`https://a.example/${'x'.repeat(123)}`, 'deploy'],
    [undefined, 'ü'.repeat(62)],
    [undefined, undefined],
  ]) {
    const request = {} as IncomingMessage
    server.emit('connection', { close: (...args: unknown[]) => closed.push(args) }, request)
    hook(stream, { uri, reason, remainingMs: 0 }, request)
  }

  assert.deepEqual(closed, [
    [1012, 'https://a.example/'],
    [1012, 'deploy'],
    [1012, ''],
    [1012, ''],
  ])
})
