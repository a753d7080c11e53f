// ioredis with a client certificate: node ioredis.js rediss://redis.internal:6380
import { setTimeout } from 'node:timers/promises'

import { createReloadEngine } from 'certswap'
import { Redis } from 'ioredis'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// After a CA is removed, a new client replaces the former one. Importers of `redis` see the new one.
export let redis = openClient()
engine.on('renewed', ({ trust }) => {
  if (trust !== 'reduced') return
  const former = redis
  redis = openClient()
  former.quit().catch(console.error) // its commands finish
})

function openClient() {
  return new Redis(process.argv[2], { tls: engine.clientOptions() }).on('error', console.error)
}

let running = true
process.once('SIGTERM', () => (running = false))
while (running) {
  console.log(await redis.ping())
  await setTimeout(200)
}
await redis.quit()
await engine.close()
