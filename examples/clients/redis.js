// redis (node-redis) with a client certificate: node redis.js rediss://redis.internal:6380
import { setTimeout } from 'node:timers/promises'

import { createReloadEngine } from 'certswap'
import { createClient } from 'redis'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// One client for each generation, because a client copies its options once. Importers of `redis` see the new one.
export let redis = openClient()
engine.on('applied', () => {
  const former = redis
  redis = openClient()
  redis.once('ready', () => {
    if (former.isReady)
      former.close().catch(console.error) // its commands finish
    else former.destroy() // it never connected
  })
})
function openClient() {
  const client = createClient({ url: process.argv[2], socket: { tls: true, ...engine.clientOptions() } })
  client.on('error', console.error).connect().catch(console.error)
  return client
}

let running = true
process.once('SIGTERM', () => (running = false))
while (running) {
  console.log(await redis.ping())
  await setTimeout(200)
}
await redis.close()
await engine.close()
