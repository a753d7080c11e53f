// Koa: `app.callback()` is a listener for a server that you make
import https from 'node:https'

import { createReloadEngine } from 'certswap'
import Koa from 'koa'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const app = new Koa()
app.use((context) => {
  context.body = 'hello\n'
})

// oxlint-disable-next-line typescript/no-misused-promises -- Koa handles the rejections of its callback.
const server = https.createServer(engine.serverOptions(), app.callback())
engine.attach(server)
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
