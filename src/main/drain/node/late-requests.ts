import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:net'

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void

/**
 * Answers every further HTTP/1.1 request with 503 instead of the application, which still receives HTTP/2 requests. Returns
 * a function that restores the application's listeners.
 */
export function refuseRequests(server: Server): () => void {
  const listeners = server.rawListeners('request') as RequestListener[]
  const refuse: RequestListener = (request, response) => {
    if (request.httpVersionMajor === 1) return answerUnavailable(request, response)
    for (const listener of listeners) listener.call(server, request, response)
  }
  server.removeAllListeners('request')
  server.on('request', refuse)
  return () => {
    server.off('request', refuse)
    for (const listener of listeners) server.on('request', listener)
  }
}

function answerUnavailable(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  response.writeHead(503, { 'retry-after': '1', 'content-length': '0' }).end()
}
