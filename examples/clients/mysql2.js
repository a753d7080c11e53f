// mysql2 with a client certificate: node mysql2.js mysql://app@db.internal:3306
import { setTimeout } from 'node:timers/promises'

import { createReloadEngine } from 'certswap'
import mysql from 'mysql2/promise'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// Not `{ ...options }`, which would copy the certificate of this moment. Without `verifyIdentity`, mysql2 checks no host name.
const ssl = Object.assign(engine.clientOptions({ as: 'pem' }), { verifyIdentity: true })
const connectionLimit = 10
const pool = mysql.createPool({ uri: process.argv[2], connectionLimit, ssl })

// After a CA is removed, connections that were open are used no more: each is destroyed when it is released.
let trusted = new WeakSet()
pool.on('connection', (connection) => trusted.add(connection))
pool.on('release', (connection) => trusted.has(connection) || connection.destroy())
engine.on('renewed', ({ trust }) => {
  if (trust !== 'reduced') return
  trusted = new WeakSet()
  // Idle ones are released too, because the pool hands them out before it opens others.
  for (let i = 0; i < connectionLimit; i++) pool.getConnection().then((held) => held.release(), console.error)
})

let running = true
process.once('SIGTERM', () => (running = false))
while (running) {
  const [[row]] = await pool.query('SELECT CURRENT_USER() AS user')
  console.log(row.user)
  await setTimeout(200)
}
await pool.end()
await engine.close()
