// Server-sent events, over HTTP/1.1 and HTTP/2: SIGTERM ends each stream, and its client connects to another server
import http2 from 'node:http2'

import { createReloadEngine } from 'certswap'
import { closeEventStreams, createDrain, handleSignals } from 'certswap/drain'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({ cert: `${dir}/tls.crt`, key: `${dir}/tls.key` })

const server = http2.createSecureServer(engine.serverOptions({ allowHTTP1: true }), (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(`data: ${process.pid}\n\n`)
  const timer = setInterval(() => response.write(`data: ${process.pid}\n\n`), 20)
  response.once('close', () => clearInterval(timer))
})
engine.attach(server)

const drain = createDrain({
  servers: [server],
  onResponse: closeEventStreams({ retryMs: 500, last: 'event: bye\ndata: the server is going away\n\n' }),
})
handleSignals(drain)
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
