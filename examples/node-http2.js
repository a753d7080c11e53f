// node:http2, for clients of HTTP/2 and of HTTP/1.1
import http2 from 'node:http2'

import { createReloadEngine } from 'certswap'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const server = http2.createSecureServer(engine.serverOptions({ allowHTTP1: true }), (_request, response) => {
  response.end('hello\n')
})
engine.attach(server)
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
