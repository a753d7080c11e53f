// axios, and other libraries that take an https.Agent, as clients of mutual TLS: node axios-client.js URL
import { setTimeout } from 'node:timers/promises'

import axios from 'axios'
import { createReloadEngine } from 'certswap'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// The agent follows the generations: create it once.
const client = axios.create({ httpsAgent: engine.agent({ keepAlive: true }) })

for (;;) {
  try {
    const response = await client.get(process.argv[2])
    console.log(response.status, response.data)
  } catch ({ code }) {
    console.log(code)
  }
  await setTimeout(200)
}
