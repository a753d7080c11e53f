import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

import { answerCalls } from '../process/calls.js'

/** The plain HTTP server behind proxies that only terminate TLS. */
export interface BackendCalls {
  start(): Promise<number>
}

answerCalls<BackendCalls>({
  async start() {
    const server = http.createServer((_request, response) => {
      response.setHeader('content-length', 3)
      response.end('ok\n')
    })
    server.keepAliveTimeout = 60_000
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return (server.address() as AddressInfo).port
  },
})
