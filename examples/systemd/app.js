// A Node service for app.service: certificates that are reloaded, a control socket, and messages to systemd.

import https from 'node:https'

import { createReloadEngine } from 'certswap'
import { createControlServer } from 'certswap/control'
import { createDrain, handleSignals } from 'certswap/drain'
import { createNotifier } from 'certswap/systemd'

const { CERT, KEY, PORT = '8443', RUNTIME_DIRECTORY = '.' } = process.env

const engine = await createReloadEngine({ cert: CERT, key: KEY, autoReloadInterval: 30 })
const notifier = createNotifier({ engine })
const server = https.createServer(engine.serverOptions(), (_request, response) => response.end('hello\n'))
engine.attach(server)
const drain = createDrain({ servers: [server] })
const control = await createControlServer({ engine, drain, path: `${RUNTIME_DIRECTORY}/control.sock` })

// Before READY=1: from then on systemd may send signals. SIGHUP reloads, SIGTERM drains, and both are reported to systemd.
handleSignals(drain, notifier, {
  async onDrained() {
    // Close it last, because it reports how the rest is stopping.
    await control.close()
    await notifier.close()
    await engine.close()
  },
})

server.listen(Number(PORT), () => notifier.ready())
