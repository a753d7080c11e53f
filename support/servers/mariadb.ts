import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { LibraryServer, ServerMaterial } from '../clients/client-library.js'
import { writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { freePort } from './free-port.js'
import { giveToServer, runProgram, startServerProcess, withoutProgram } from './server-process.js'

/** Debian installs it outside of the PATH of users. */
const PROGRAM = '/usr/sbin/mariadbd'

/** For the option `skip` of a test: `false`, or why it cannot run here. */
export const withoutMariadb: string | false = withoutProgram(PROGRAM, 'mariadb-server')

const USERS = `
CREATE USER 'app'@'%' REQUIRE SUBJECT '/CN=app';
`

/** MariaDB, whose user `app` connects with the client certificate of that name alone. */
export async function startMariadb(
  t: TestContext,
  { leaf, clientCa }: ServerMaterial,
): Promise<LibraryServer> {
  const port = await freePort()
  const dir = tempDir(t)
  const data = join(dir, 'data')
  const socket = join(dir, 'socket')
  const show = (next: typeof leaf) => {
    writePair(dir, next)
    giveToServer(dir)
  }
  writeFileSync(join(dir, 'users.sql'), USERS)
  writeFileSync(join(dir, 'client-ca.crt'), clientCa)
  show(leaf)
  // The default may be a directory that belongs to the user of the test.
  const unprivileged = { unprivileged: true, env: { TMPDIR: dir } }
  const install = [
    '--no-defaults',
    `--datadir=${data}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
  ]
  runProgram('mariadb-install-db', install, unprivileged)
  const args = [
    '--no-defaults',
    `--datadir=${data}`,
    `--socket=${socket}`,
    `--pid-file=${join(dir, 'pid')}`,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    `--init-file=${join(dir, 'users.sql')}`,
    `--ssl-cert=${join(dir, 'tls.crt')}`,
    `--ssl-key=${join(dir, 'tls.key')}`,
    `--ssl-ca=${join(dir, 'client-ca.crt')}`,
    '--skip-name-resolve',
    '--innodb-flush-log-at-trx-commit=0',
  ]
  const server = startServerProcess(t, PROGRAM, args, { ...unprivileged, stopSignal: 'SIGKILL' })
  await server.next(/ready for connections/)
  return {
    port,
    async renew(next) {
      show(next)
      runProgram('mariadb', ['--no-defaults', '-S', socket, '-u', 'root', '-e', 'FLUSH SSL'])
    },
  }
}
