// node:tls: any protocol over TLS, here an echo
import tls from 'node:tls'

import { createReloadEngine } from 'certswap'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const server = tls.createServer(engine.serverOptions(), (socket) => {
  socket.on('error', () => socket.destroy())
  socket.pipe(socket)
})
engine.attach(server)
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
