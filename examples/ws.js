// ws: open sockets stay open during every renewal
import https from 'node:https'

import { createReloadEngine } from 'certswap'
import { WebSocketServer } from 'ws'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const server = https.createServer(engine.serverOptions())
engine.attach(server)
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('error', () => socket.terminate())
  socket.on('message', (data) => socket.send(`${data}`))
})
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
