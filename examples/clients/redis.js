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

// One client for each generation, because a client copies its options once, also for when it connects again. Importers of
// `redis` see the new one, whose commands wait until it is connected.
export let redis = openClient()
engine.on('applied', () => {
  const former = redis
  redis = openClient()
  // Its commands finish, unless it is still connecting: then they fail.
  redis.once('ready', () => (former.isReady ? former.close() : former.destroy()))
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
