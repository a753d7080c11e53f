import https from 'node:https'

/** The same small answer everywhere, so that what differs is the reload. */
export function answeringServer(options: https.ServerOptions): https.Server {
  const server = https.createServer(options, (_request, response) => {
    response.setHeader('content-length', BODY.length)
    response.end(BODY)
  })
  server.keepAliveTimeout = 60_000
  return server
}

const BODY = 'ok\n'
