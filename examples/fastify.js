// Fastify, for clients of HTTP/2 and of HTTP/1.1
import { createReloadEngine } from 'certswap'
import { fastify } from 'fastify'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const app = fastify({ http2: true, https: engine.serverOptions({ allowHTTP1: true }) })
app.get('/', async () => 'hello\n')
engine.attach(app.server)
// An explicit host: for `localhost` Fastify may open a second server, which cannot be attached.
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 0) })
console.log(`listening on ${app.server.address().port}`)
