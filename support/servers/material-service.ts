import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import https from 'node:https'
import type { TestContext } from 'node:test'

import { type Authority, createAuthority, type Leaf } from '../material/certificates.js'
import { listen } from './echo-server.js'

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** An HTTPS service of certificates that answers as a test says. */
export interface MaterialService {
  /** The CA of the service. */
  readonly authority: Authority
  readonly origin: string
  readonly server: https.Server
  /** Every request, in order. */
  readonly requests: IncomingMessage[]
  /** How the next requests are answered. */
  answer: Answer
  /** The next request, when it arrives. */
  nextRequest(): Promise<IncomingMessage>
}

/** Starts it on a free port, with a certificate for `localhost` and 127.0.0.1. */
export async function materialService(
  t: TestContext,
  answer: Answer,
  options: https.ServerOptions = {},
): Promise<MaterialService> {
  const authority = createAuthority()
  const { chainPem, keyPem } = authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] })
  const requests: IncomingMessage[] = []
  const server = https.createServer({ cert: chainPem, key: keyPem, ...options }, (request, response) => {
    requests.push(request)
    service.answer(request, response)
  })
  const port = await listen(t, server)
  const service: MaterialService = {
    authority,
    origin: `https://127.0.0.1:${port}`,
    server,
    requests,
    answer,
    async nextRequest() {
      const [request] = (await once(server, 'request')) as [IncomingMessage]
      return request
    },
  }
  return service
}

/** Answers with a bundle of key and chain, as Kubernetes writes it; 304 if the client has this entity tag. */
export function bundle({ chainPem, keyPem }: Leaf, etag?: string): Answer {
  return pem(keyPem + chainPem, etag === undefined ? {} : { etag })
}

export function pem(body: string, headers: Record<string, string> = {}): Answer {
  return (request, response) => {
    const { etag } = headers
    const isKnown = etag !== undefined && request.headers['if-none-match'] === etag
    response.writeHead(isKnown ? 304 : 200, { 'content-type': 'application/x-pem-file', ...headers })
    response.end(isKnown ? undefined : body)
  }
}

export function status(code: number, headers: Record<string, string> = {}): Answer {
  return (_request, response) => response.writeHead(code, headers).end()
}
