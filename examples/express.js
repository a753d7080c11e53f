// Express: its application is a listener for a server that you make
import https from 'node:https'

import { createReloadEngine } from 'certswap'
import express from 'express'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const app = express()
app.get('/', (_request, response) => response.send('hello\n'))

const server = https.createServer(engine.serverOptions(), app)
engine.attach(server)
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
