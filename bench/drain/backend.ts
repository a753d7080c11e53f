// One backend: `fork(backend.js, [SHUTDOWN, LAME_DUCK_MS, CERT, KEY])`. Sends its ports to the parent process.

import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'

import { SHUTDOWNS } from './shutdowns.js'
import { SLOW } from './slow.js'

/** The message of a backend, sent once. */
export interface Listening {
  readonly http1: number
  readonly http2: number
}

const [shutdown = '', lameDuckMs = '', cert = '', key = ''] = process.argv.slice(2)
const identity = { cert: readFileSync(cert), key: readFileSync(key) }
const servers = { http1: createServer(identity, answer), http2: createSecureServer(identity, answer) }
servers.http2.on('sessionError', () => {})
SHUTDOWNS[shutdown]?.(servers, Number(lameDuckMs))
const [http1, http2] = await Promise.all([listen(servers.http1), listen(servers.http2)])
process.send?.({ http1, http2 } satisfies Listening)
process.channel?.unref()
// The parent process has ended.
process.once('disconnect', () => process.exit())

function answer(
  { url }: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): void {
  if (url !== '/slow') {
    setTimeout(() => response.end('answer'), Math.random() * 10)
    return
  }
  let left = SLOW.pieces
  const timer = setInterval(() => {
    left--
    ;(response as ServerResponse).write(Buffer.alloc(SLOW.bytes))
    if (left > 0) return
    clearInterval(timer)
    response.end()
  }, SLOW.pauseMs)
  response.once('close', () => clearInterval(timer))
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
