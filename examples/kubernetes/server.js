// The program of deployment.yaml: HTTPS, metrics on a separate port, and a control socket for probes and operators
import { mkdirSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { dirname } from 'node:path'

import { createReloadEngine } from 'certswap'
import { createControlServer } from 'certswap/control'
import { createDrain, handleSignals } from 'certswap/drain'
import { createMetrics } from 'certswap/metrics'

const { TLS_DIR, CONTROL, PORT, METRICS_PORT, RELOAD_SECONDS, DRAIN_SECONDS } = process.env
const engine = await createReloadEngine({
  cert: `${TLS_DIR}/tls.crt`,
  key: `${TLS_DIR}/tls.key`,
  autoReloadInterval: Number(RELOAD_SECONDS),
})
const server = https.createServer(engine.serverOptions(), (_request, response) => response.end('hello\n'))
engine.attach(server)
const drain = createDrain({ servers: [server], deadlineMs: Number(DRAIN_SECONDS) * 1000 })
server.listen(Number(PORT), () => console.log(`listening on ${server.address().port}`))

const metrics = createMetrics(engine)
const scraped = http.createServer((_request, response) => {
  void metrics.text().then((text) => response.setHeader('content-type', metrics.contentType).end(text))
})
scraped.listen(Number(METRICS_PORT), () => console.log(`metrics on ${scraped.address().port}`))

mkdirSync(dirname(CONTROL), { recursive: true, mode: 0o700 }) // Every user may write to the emptyDir itself.
const control = await createControlServer({ engine, metrics, path: CONTROL, ready: () => drain.ready })

handleSignals(drain, engine, { onDrained: () => control.close() })
