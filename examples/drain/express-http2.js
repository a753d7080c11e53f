// Express 5 over HTTP/2 and HTTP/1.1. Without this listener the first HTTP/2 request ends the process
import http2 from 'node:http2'

import { createReloadEngine } from 'certswap'
import { createDrain, handleSignals } from 'certswap/drain'
import express from 'express'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({ cert: `${dir}/tls.crt`, key: `${dir}/tls.key` })

const app = express()
app.use(express.json())
app.get('/', (request, response) => response.send(`hello by HTTP/${request.httpVersion}\n`))
app.post('/echo', (request, response) => response.json({ host: request.hostname, body: request.body }))
app.get('/slow', (_request, response) => setTimeout(() => response.send('late\n'), 300))

const server = http2.createSecureServer(engine.serverOptions({ allowHTTP1: true }), bothProtocols(app))
engine.attach(server)
handleSignals(createDrain({ servers: [server] }))
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))

// Express sets the prototype of every request to one for HTTP/1.1. This selects a prototype that fits its version.
function bothProtocols(app) {
  const http1 = { request: app.request, response: app.response }
  const http2Kind = (own, base) =>
    Object.create(Object.create(base, Object.getOwnPropertyDescriptors(own)), { app: { value: app } })
  const http2Kinds = {
    request: http2Kind(express.request, http2.Http2ServerRequest.prototype),
    response: http2Kind(express.response, http2.Http2ServerResponse.prototype),
  }
  return (request, response) => {
    const { headers, httpVersionMajor, stream } = request
    Object.assign(app, httpVersionMajor === 2 ? http2Kinds : http1)
    if (httpVersionMajor === 2) {
      headers.host ??= request.authority
      // Body parsers expect one of the two headers that announce a body in HTTP/1.1.
      if (!stream.endAfterHeaders && !headers['content-length']) headers['transfer-encoding'] = 'chunked'
    }
    app(request, response)
  }
}
