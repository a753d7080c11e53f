import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { LibraryServer, ServerMaterial } from '../clients/client-library.js'
import { writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { freePort } from './free-port.js'
import { giveToServer, runProgram, startServerProcess, withoutProgram } from './server-process.js'

/** Debian installs them outside of PATH. */
const PROGRAMS = '/usr/lib/postgresql/15/bin'

/** For the option `skip` of a test: `false`, or why it cannot run here. */
export const withoutPostgres: string | false = withoutProgram(`${PROGRAMS}/postgres`, 'postgresql-15')

/** PostgreSQL, whose user `app` connects with the client certificate of that name alone. */
export async function startPostgres(
  t: TestContext,
  { leaf, clientCa }: ServerMaterial,
): Promise<LibraryServer> {
  const port = await freePort()
  const dir = tempDir(t)
  giveToServer(dir)
  const data = join(dir, 'data')
  const unprivileged = { unprivileged: true }
  runProgram(
    `${PROGRAMS}/initdb`,
    ['-D', data, '-U', 'app', '-A', 'reject', '-E', 'UTF8', '--no-locale', '--no-sync', '--no-instructions'],
    unprivileged,
  )
  writeFileSync(join(data, 'pg_hba.conf'), 'hostssl all app all cert clientcert=verify-full\n')
  writeFileSync(join(data, 'client-ca.crt'), clientCa)
  appendFileSync(join(data, 'postgresql.conf'), settings(port))
  const show = (next: typeof leaf) => {
    writePair(data, next)
    giveToServer(data)
  }
  show(leaf)
  const server = startServerProcess(t, `${PROGRAMS}/postgres`, ['-D', data], {
    ...unprivileged,
    stopSignal: 'SIGQUIT',
  })
  await server.next(/database system is ready to accept connections/)
  return {
    port,
    async renew(next) {
      show(next)
      const reloaded = server.next(/received SIGHUP, reloading/)
      server.signal('SIGHUP')
      await reloaded
    },
  }
}

function settings(port: number): string {
  return `
listen_addresses = '127.0.0.1'
port = ${port}
unix_socket_directories = ''
fsync = off
ssl = on
ssl_cert_file = 'tls.crt'
ssl_key_file = 'tls.key'
ssl_ca_file = 'client-ca.crt'
`
}
