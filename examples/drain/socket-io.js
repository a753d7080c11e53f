// Socket.IO: SIGTERM closes WebSockets and long polls; clients reconnect to another server
import https from 'node:https'

import { createReloadEngine } from 'certswap'
import { closeLongPolls, closeWebSockets, createDrain, handleSignals } from 'certswap/drain'
import { Server } from 'socket.io'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({ cert: `${dir}/tls.crt`, key: `${dir}/tls.key` })
const server = https.createServer(engine.serverOptions())
engine.attach(server)

const io = new Server(server)
io.on('connection', (socket) => {
  socket.on('say', (word, answer) => answer(`${word} from ${process.pid}`))
})
const drain = createDrain({
  servers: [server],
  onUpgrade: closeWebSockets(), // finds the WebSockets of Socket.IO
  onResponse: closeLongPolls(io), // clients that have no WebSocket
})
handleSignals(drain)
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
