// PM2: `pm2 reload` and `pm2 stop` send SIGINT, which drains
import https from 'node:https'

import { createReloadEngine } from 'certswap'
import { createDrain, handleSignals } from 'certswap/drain'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({ cert: `${dir}/tls.crt`, key: `${dir}/tls.key` })
const server = https.createServer(engine.serverOptions(), (_request, response) => {
  response.end(`hello from ${process.pid}\n`)
})
engine.attach(server)

// During the lame duck, responses have `Connection: close`: keep-alive clients disconnect without an error.
const drain = createDrain({ servers: [server], lameDuckMs: 500, deadlineMs: 25_000 })
handleSignals(drain, engine)
// With the option `shutdown_with_message`, and on Windows, PM2 sends this message instead of the signal.
process.on('message', (message) => {
  if (message === 'shutdown') drain.start({ reason: 'PM2', cancellable: false })
})
server.listen(Number(process.env.PORT ?? 8443), () => process.send?.('ready')) // `wait_ready` waits for this
