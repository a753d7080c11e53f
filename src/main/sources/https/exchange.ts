import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'

import type { RequestAgent } from './request-agent.js'

export interface Exchange {
  readonly url: URL
  readonly headers: OutgoingHttpHeaders
  readonly agent: RequestAgent
  readonly signal: AbortSignal
}

/**
 * Sends one GET request, and resolves with the head of the answer. The request is repeated once if the service closed an idle
 * connection at the moment when it was used again.
 */
export async function exchange(given: Exchange): Promise<IncomingMessage> {
  try {
    return await send(given)
  } catch (error) {
    if (!(error instanceof IdleConnectionClosed)) throw error
    return await send(given)
  }
}

class IdleConnectionClosed extends Error {}

function send({ url, headers, agent, signal }: Exchange): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = https.request(url, { headers, agent, signal })
    request.once('response', resolve)
    request.on('error', (error: NodeJS.ErrnoException) => {
      const closed = request.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '')
      reject(closed && !signal.aborted ? new IdleConnectionClosed() : error)
    })
    // An answer that Node handles by closing the connection, such as 101, causes no other event.
    request.once('close', () => reject(Object.assign(new Error(), { code: 'ECONNRESET' })))
    request.end()
  })
}

/** Ends an answer whose body is not read. Without a body, the connection can be used again. */
export function discard(response: IncomingMessage): void {
  response.on('error', () => {})
  if (response.statusCode === 204 || response.statusCode === 304) response.resume()
  else response.destroy()
}
