import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { LibraryServer, ServerMaterial } from '../clients/client-library.js'
import { writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { freePort } from './free-port.js'
import { giveToServer, startServerProcess, withoutProgram } from './server-process.js'

/** For the option `skip` of a test: `false`, or why it cannot run here. */
export const withoutMosquitto: string | false = withoutProgram('mosquitto', 'mosquitto')

/** `%u` is the common name of the client certificate. */
const PERMISSIONS = `
pattern readwrite app/#
pattern readwrite of/%u
`

/**
 * Mosquitto that requires a client certificate. It permits the topics below `app/`, and `of/NAME` to the client whose
 * certificate has that common name.
 */
export async function startMosquitto(
  t: TestContext,
  { leaf, clientCa }: ServerMaterial,
): Promise<LibraryServer> {
  const port = await freePort()
  const dir = tempDir(t)
  const config = join(dir, 'mosquitto.conf')
  const show = (next: typeof leaf) => {
    writePair(dir, next)
    giveToServer(dir)
  }
  writeFileSync(join(dir, 'client-ca.crt'), clientCa)
  writeFileSync(join(dir, 'permissions'), PERMISSIONS)
  writeFileSync(config, settings(port, dir))
  show(leaf)
  // As root it would become a user that cannot read the files.
  const options = { unprivileged: true, stopSignal: 'SIGKILL' } as const
  const server = startServerProcess(t, 'mosquitto', ['-c', config], options)
  await server.next(/mosquitto version .* running/)
  return {
    port,
    async renew(next) {
      show(next)
      // It is single-threaded, so the connections of a client that has seen this line get the new certificate.
      const reloaded = server.next(/Reloading config/)
      server.signal('SIGHUP')
      await reloaded
    },
  }
}

function settings(port: number, dir: string): string {
  return `
listener ${port} 127.0.0.1
cafile ${join(dir, 'client-ca.crt')}
certfile ${join(dir, 'tls.crt')}
keyfile ${join(dir, 'tls.key')}
require_certificate true
use_identity_as_username true
acl_file ${join(dir, 'permissions')}
`
}
