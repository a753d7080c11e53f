import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { LibraryServer, ServerMaterial } from '../clients/client-library.js'
import { writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { freePort } from './free-port.js'
import { startServerProcess, withoutProgram } from './server-process.js'

/** For the option `skip` of a test: `false`, or why it cannot run here. */
export const withoutNats: string | false = withoutProgram('nats-server', 'nats-server')

export interface NatsServer extends LibraryServer {
  /** The common name of the client certificate of an open connection, as the server reports it. */
  nameOf(clientId: number): Promise<string>
}

/** A NATS server that requires a client certificate. */
export async function startNats(t: TestContext, { leaf, clientCa }: ServerMaterial): Promise<NatsServer> {
  const [port, monitor, dir] = [await freePort(), await freePort(), tempDir(t)]
  const ca = join(dir, 'client-ca.crt')
  const config = join(dir, 'nats.conf')
  writeFileSync(ca, clientCa)
  const { cert, key } = writePair(dir, leaf)
  writeFileSync(
    config,
    `
listen: 127.0.0.1:${port}
http: 127.0.0.1:${monitor}
tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${ca}", verify: true, timeout: 30 }
`,
  )
  const server = startServerProcess(t, 'nats-server', ['-c', config], { stopSignal: 'SIGKILL' })
  await server.next(/Server is ready/)
  return {
    port,
    async renew(next) {
      writePair(dir, next)
      const reloaded = server.next(/Reloaded server configuration/)
      server.signal('SIGHUP')
      await reloaded
    },
    async nameOf(clientId) {
      const answer = await fetch(`http://127.0.0.1:${monitor}/connz?auth=1&cid=${clientId}`)
      const { connections } = (await answer.json()) as Connections
      const subject = connections[0]?.tls_peer_certs[0]?.subject
      if (!subject?.startsWith('CN=')) throw new Error(`connection ${clientId} has the subject ${subject}`)
      return subject.slice('CN='.length)
    },
  }
}

interface Connections {
  readonly connections: readonly { readonly tls_peer_certs: readonly { readonly subject: string }[] }[]
}
