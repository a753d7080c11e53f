import http2 from 'node:http2'

import type { Generation } from '../../api/generation.js'
import type { ReloadEngine } from '../../api/reload-engine.js'
import { servingOf } from '../../api/result.js'

/** The part of an engine that a server needs; both kinds of engine have it. */
export interface ServingEngine extends Pick<ReloadEngine, 'serverOptions'> {
  status(): { readonly generation: Generation }
}

/** Answers every request, over HTTP/1.1 and HTTP/2, with the facts of the served certificate. */
export function createAnsweringServer(engine: ServingEngine): http2.Http2SecureServer {
  const server = http2.createSecureServer(engine.serverOptions({ allowHTTP1: true }))
  server.on('request', (request, response) => {
    request.resume()
    const { generation } = engine.status()
    const { fingerprint256, notAfter, names } = servingOf(generation)
    const answer = { generation: generation.number, fingerprint256, notAfter, names }
    response.setHeader('content-type', 'application/json')
    response.end(`${JSON.stringify(answer)}\n`)
  })
  // Aborted handshakes and sessions need no handling.
  server.on('sessionError', () => {})
  return server
}
