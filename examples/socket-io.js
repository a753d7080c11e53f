// Socket.IO: open sockets stay open during every renewal
import https from 'node:https'

import { createReloadEngine } from 'certswap'
import { Server } from 'socket.io'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const server = https.createServer(engine.serverOptions())
engine.attach(server)
new Server(server).on('connection', (socket) => {
  socket.on('say', (word, answer) => answer(word))
})
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
