import https from 'node:https'

/** A server with the same small response in all techniques, so that only the reload differs. */
export function answeringServer(options: https.ServerOptions): https.Server {
  const server = https.createServer(options, (_request, response) => {
    response.setHeader('content-length', BODY.length)
    response.end(BODY)
  })
  server.keepAliveTimeout = 60_000
  return server
}

const BODY = 'ok\n'
