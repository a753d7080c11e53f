// pg with a client certificate; PGHOST, PGPORT and PGUSER say where and as whom it connects: node pg.js
import { setTimeout } from 'node:timers/promises'

import { createReloadEngine } from 'certswap'
import pg from 'pg'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// After a CA is removed, connections that were opened before are used no more: each is closed when it is released.
let trust = 0
class Client extends pg.Client {
  trust = trust
}
const pool = new pg.Pool({ Client, ssl: engine.clientOptions() })
pool.on('error', console.error)
pool.on('release', (_error, client) => {
  if (client.trust !== trust) client.end().catch(console.error)
})
engine.on('renewed', (renewal) => {
  if (renewal.trust !== 'reduced') return
  trust++
  for (let i = pool.idleCount; i > 0; i--) pool.connect().then((client) => client.release(), console.error)
})

let running = true
process.once('SIGTERM', () => (running = false))
while (running) {
  const { rows } = await pool.query('SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
  console.log(rows[0].client_dn)
  await setTimeout(200)
}
await pool.end()
await engine.close()
