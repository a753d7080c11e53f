/* postgres (Postgres.js), with PostgreSQL. The serials are those that the server reports. */

import postgres, { type Sql } from 'postgres'

import { type Seen, serialOf } from '../../../support/clients/client-library.js'
import { proveExample } from '../../../support/clients/library-example.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { startPostgres, withoutPostgres } from '../../../support/servers/postgres.js'

const library = { name: 'postgres', without: withoutPostgres, startServer: startPostgres }

proveLibrary({
  ...library,
  async open(engine, port) {
    const options = {
      host: 'localhost',
      port,
      user: 'app',
      database: 'postgres',
      ssl: engine.clientOptions(),
    }
    let sql = postgres(options)
    return {
      query: () => ask(sql),
      async connect() {
        const held = postgres({ ...options, max: 1 })
        await held`SELECT 1`
        return { query: () => ask(held), close: () => held.end() }
      },
      retire() {
        const former = sql
        sql = postgres(options)
        void former.end()
      },
      close: () => sql.end(),
    }
  },
})

proveExample({
  ...library,
  start: (port) => ({
    env: { PGHOST: 'localhost', PGPORT: String(port), PGUSER: 'app', PGDATABASE: 'postgres' },
  }),
  answer: /^\/CN=app$/,
})

async function ask(sql: Sql): Promise<Seen> {
  const [row] = await sql<[{ client_serial: string; pid: number }]>`
    SELECT client_serial, pid FROM pg_stat_ssl WHERE pid = pg_backend_pid()`
  return { serial: serialOf(row.client_serial), connection: String(row.pid) }
}
