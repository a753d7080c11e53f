// What deployment.yaml runs: HTTPS, metrics on a port of their own, and a control socket for the probes and for people
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { dirname } from 'node:path'

import { createReloadEngine } from 'certswap'
import { createControlServer } from 'certswap/control'
import { createMetrics } from 'certswap/metrics'

const { TLS_DIR, CONTROL, PORT, METRICS_PORT, RELOAD_SECONDS } = process.env
const engine = await createReloadEngine({
  cert: `${TLS_DIR}/tls.crt`,
  key: `${TLS_DIR}/tls.key`,
  autoReloadInterval: Number(RELOAD_SECONDS),
})
let ready = true
const server = https.createServer(engine.serverOptions(), (_request, response) => {
  if (!ready) response.setHeader('connection', 'close')
  response.end('hello\n')
})
engine.attach(server)
server.listen(Number(PORT), () => console.log(`listening on ${server.address().port}`))

const metrics = createMetrics(engine)
const scraped = http.createServer((_request, response) => {
  void metrics.text().then((text) => response.setHeader('content-type', metrics.contentType).end(text))
})
scraped.listen(Number(METRICS_PORT), () => console.log(`metrics on ${scraped.address().port}`))

mkdirSync(dirname(CONTROL), { recursive: true, mode: 0o700 }) // An emptyDir itself may be written by everyone.
const control = await createControlServer({ engine, metrics, path: CONTROL, ready: () => ready })

await once(process, 'SIGTERM')
ready = false
scraped.close()
server.close()
await once(server, 'close')
await control.close()
await engine.close()
