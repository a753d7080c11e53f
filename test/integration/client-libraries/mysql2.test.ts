/*
 * mysql2 and its pool, with MariaDB. MariaDB does not report the serial of a client certificate, so the serials are those of
 * the local certificates of the sockets.
 */

import type { TLSSocket } from 'node:tls'

import mysql, { type Connection, type PoolConnection } from 'mysql2/promise'

import type { Seen } from '../../../support/clients/client-library.js'
import { proveExample } from '../../../support/clients/library-example.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { localCertificate } from '../../../support/clients/local-certificate.js'
import { startMariadb, withoutMariadb } from '../../../support/servers/mariadb.js'

const library = { name: 'mysql2', without: withoutMariadb, startServer: startMariadb }

proveLibrary({
  ...library,
  async open(engine, port) {
    const ssl = Object.assign(engine.clientOptions({ as: 'pem' }), { verifyIdentity: true })
    const options = { host: 'localhost', port, user: 'app', ssl }
    const connectionLimit = 10
    const pool = mysql.createPool({ ...options, connectionLimit })
    let trusted = new WeakSet<object>()
    pool.on('connection', (connection) => trusted.add(connection))
    pool.on('release', (connection) => trusted.has(connection) || connection.destroy())
    return {
      async query() {
        const connection = await pool.getConnection()
        try {
          return await ask(connection)
        } finally {
          connection.release()
        }
      },
      async connect() {
        const connection = await mysql.createConnection(options)
        return { query: () => ask(connection), close: () => connection.end() }
      },
      retire() {
        trusted = new WeakSet()
        for (let i = 0; i < connectionLimit; i++) void pool.getConnection().then((held) => held.release())
      },
      close: () => pool.end(),
    }
  },
})

proveExample({
  ...library,
  start: (port) => ({ args: [`mysql://app@localhost:${port}`] }),
  answer: /^app@/,
})

async function ask(connection: Connection | PoolConnection): Promise<Seen> {
  await connection.query('SELECT 1')
  return localCertificate((connection as unknown as { connection: { stream: TLSSocket } }).connection.stream)
}
