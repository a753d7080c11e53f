/* pg and its pool, with PostgreSQL. The serials are those that the server reports. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import tls from 'node:tls'

import pg from 'pg'

import { type LibraryConnection, serialOf } from '../../../support/clients/client-library.js'
import { proveExample } from '../../../support/clients/library-example.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { startPostgres, withoutPostgres } from '../../../support/servers/postgres.js'

const SEEN = 'SELECT client_serial, pid FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

const library = { name: 'pg', without: withoutPostgres, startServer: startPostgres }

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
    let trust = 0
    class Client extends pg.Client {
      readonly trust = trust
    }
    const pool = new pg.Pool({ ...options, Client })
    pool.on('release', (_error, client) => {
      if ((client as unknown as Client).trust !== trust) void client.end()
    })
    return {
      query: () => ask(pool),
      async connect() {
        const client = new pg.Client(options)
        await client.connect()
        return { query: () => ask(client), close: () => client.end() }
      },
      retire() {
        trust++
        for (let idle = pool.idleCount; idle > 0; idle--)
          void pool.connect().then((client) => client.release())
      },
      close: () => pool.end(),
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

test('pg replaces `ssl` if a connection string has `sslmode`, and not otherwise, as the documentation says', () => {
  const ssl = { secureContext: tls.createSecureContext() }
  const sslOf = (connectionString: string) => new pg.Client({ connectionString, ssl }).ssl
  assert.equal(sslOf('postgres://db.test/app'), ssl)
  assert.notEqual(sslOf('postgres://db.test/app?sslmode=verify-full'), ssl)
})

async function ask(client: Pick<pg.Client, 'query'>): ReturnType<LibraryConnection['query']> {
  const { rows } = await client.query<{ client_serial: string; pid: number }>(SEEN)
  const [row] = rows
  if (!row) throw new Error('no row')
  return { serial: serialOf(row.client_serial), connection: String(row.pid) }
}
