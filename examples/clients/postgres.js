// postgres (Postgres.js) with a client certificate; PGHOST, PGPORT and PGUSER say where and as whom it connects
import { setTimeout } from 'node:timers/promises'

import { createReloadEngine } from 'certswap'
import postgres from 'postgres'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// After a CA is removed, a new pool replaces the former one. Importers of `sql` see the new one.
export let sql = openPool()
engine.on('renewed', ({ trust }) => {
  if (trust !== 'reduced') return
  const former = sql
  sql = openPool()
  former.end().catch(console.error) // its queries finish
})

function openPool() {
  return postgres({ ssl: engine.clientOptions() })
}

let running = true
process.once('SIGTERM', () => (running = false))
while (running) {
  const [row] = await sql`SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()`
  console.log(row.client_dn)
  await setTimeout(200)
}
await sql.end()
await engine.close()
