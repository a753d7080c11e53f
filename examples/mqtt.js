// MQTT over TLS, with aedes
import tls from 'node:tls'

import { Aedes } from 'aedes'
import { createReloadEngine } from 'certswap'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const broker = await Aedes.createBroker()
const server = tls.createServer(engine.serverOptions(), broker.handle)
engine.attach(server)
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
