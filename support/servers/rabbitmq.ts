import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { LibraryServer, ServerMaterial } from '../clients/client-library.js'
import { subdirectory, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import type { Owner } from './echo-server.js'
import { freePort } from './free-port.js'
import { giveToServer, runProgram, startServerProcess } from './server-process.js'

/** The programs in the PATH of Debian run as the user `rabbitmq`. */
const PROGRAMS = '/usr/lib/rabbitmq/bin'

/** For the option `skip` of a test: `false`, or why it cannot run here. */
export const withoutRabbitmq: string | false =
  !existsSync(`${PROGRAMS}/rabbitmq-server`) &&
  `needs ${PROGRAMS}/rabbitmq-server: apt-get install --no-install-recommends rabbitmq-server`

export interface RabbitmqServer extends LibraryServer {
  /** The subjects of the client certificates of the open connections, as the server reports them. */
  subjects(): string[]
}

/** RabbitMQ that requires a client certificate and the password of the user `guest`. */
export async function startRabbitmq(t: Owner, { leaf, clientCa }: ServerMaterial): Promise<RabbitmqServer> {
  const [port, internal, names] = [await freePort(), await freePort(), await freePort()]
  const owner = reversed(t)
  const dir = tempDir(owner)
  giveToServer(dir)
  const material = subdirectory(dir, 'tls')
  const show = (next: typeof leaf) => {
    writePair(material, next)
    giveToServer(material)
  }
  writeFileSync(join(material, 'client-ca.crt'), clientCa)
  writeFileSync(join(dir, 'rabbitmq.conf'), settings(port, material))
  writeFileSync(join(dir, 'plugins'), '[].\n')
  show(leaf)
  for (const name of ['home', 'log', 'data']) mkdirSync(join(dir, name))
  giveToServer(dir)
  const options = { unprivileged: true, env: environment(dir, internal, names) }
  // Without it, the server would start one that outlives it.
  const mapper = startServerProcess(
    owner,
    'epmd',
    ['-d', '-address', '127.0.0.1', '-port', `${names}`],
    options,
  )
  await mapper.next(/epmd running/)
  const server = startServerProcess(owner, `${PROGRAMS}/rabbitmq-server`, [], options)
  await server.next(/Server startup complete/)
  return {
    port,
    async renew(next) {
      show(next)
    },
    subjects() {
      const list = ['list_connections', '--quiet', '--no-table-headers', 'peer_cert_subject']
      return runProgram(`${PROGRAMS}/rabbitmqctl`, list, options).trim().split('\n')
    },
  }
}

function settings(port: number, material: string): string {
  return `
listeners.tcp = none
listeners.ssl.local = 127.0.0.1:${port}
ssl_options.cacertfile = ${join(material, 'client-ca.crt')}
ssl_options.certfile = ${join(material, 'tls.crt')}
ssl_options.keyfile = ${join(material, 'tls.key')}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
log.console = true
log.console.level = info
log.file = false
`
}

function environment(dir: string, internal: number, names: number): NodeJS.ProcessEnv {
  return {
    HOME: join(dir, 'home'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: `${names}`,
    RABBITMQ_ALLOW_INPUT: 'yes', // the process is the server, not a shell that waits for it
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_DIST_PORT: `${internal}`,
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_MNESIA_BASE: join(dir, 'data'),
    RABBITMQ_NODENAME: `certswap-${internal}@localhost`,
    // Without a cache of files, a renewal needs no command.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-noinput -ssl bypass_pem_cache true -kernel inet_dist_use_interface {127,0,0,1}',
  }
}

/** Its programs are stopped in the reverse order. */
function reversed(t: Owner): Owner {
  const stops: (() => unknown)[] = []
  t.after(async () => {
    for (const stop of stops) await stop()
  })
  return { after: (stop) => void stops.unshift(stop as () => unknown) }
}
