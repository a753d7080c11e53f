// undici, and Node's own fetch, as clients of mutual TLS: node undici-client.js URL
import { setTimeout } from 'node:timers/promises'

import { createReloadEngine } from 'certswap'
import { Agent, setGlobalDispatcher } from 'undici'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// One pool for each generation, because a pool keeps its connections and TLS sessions.
let pool = openPool()
engine.on('applied', () => {
  const former = pool
  pool = openPool()
  former.close().catch(console.error) // requests in flight finish
})

function openPool() {
  const dispatcher = new Agent({ connect: engine.clientOptions() })
  setGlobalDispatcher(dispatcher)
  return dispatcher
}

for (;;) {
  try {
    const response = await fetch(process.argv[2])
    console.log(response.status, await response.text())
  } catch ({ cause }) {
    console.log(cause.code)
  }
  await setTimeout(200)
}
