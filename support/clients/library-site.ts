import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { ReloadEngine } from '../../src/main/index.js'
import { assertApplied, startEngine } from '../engine/engines.js'
import { overwriteInPlace, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { type Authority, createAuthority, type Leaf } from '../material/certificates.js'
import { type ConnectionWatch, watchConnections } from '../servers/connection-watch.js'
import type { ClientLibrary, LibraryClient, LibraryConnection, LibraryServer } from './client-library.js'

/** Issues the client certificates. */
export const clientAuthority: Authority = createAuthority({ name: 'Client CA' })

/** An engine with a client certificate, and a client of a library that it serves. */
export interface LibrarySite {
  readonly engine: ReloadEngine
  readonly client: LibraryClient
  /** The connections of the client. */
  readonly watch: ConnectionWatch
  /** Loads a new client certificate. */
  renew(): Promise<void>
  /** Loads other CAs of servers. */
  trust(...authorities: readonly Authority[]): Promise<void>
  /** A connection made now, with the serial of the certificate in service. */
  hold(): Promise<LibraryConnection & { readonly serial: string }>
}

export async function openSite(
  t: TestContext,
  library: ClientLibrary,
  server: LibraryServer,
  trusted: Authority,
): Promise<LibrarySite> {
  const open = new Set<Pick<LibraryClient, 'close'>>()
  // First, because hooks run in this order: clients must be closed before their server.
  t.after(() => Promise.all([...open].map((client) => client.close())))
  const dir = tempDir(t)
  const ca = join(dir, 'ca.crt')
  let leaf = issueClient(library)
  overwriteInPlace(ca, trusted.certPem)
  const engine = await startEngine(t, { ...writePair(dir, leaf), ca })
  const watch = await watchConnections(t, server.port)
  const client = await library.open(engine, watch.port)
  open.add(client)
  return {
    engine,
    client,
    watch,
    async renew() {
      leaf = issueClient(library)
      writePair(dir, leaf)
      assertApplied(await engine.reload())
    },
    async trust(...authorities) {
      overwriteInPlace(ca, authorities.map(({ certPem }) => certPem).join(''))
      assertApplied(await engine.reload())
    },
    async hold() {
      const connection = await client.connect()
      const close = async () => {
        if (open.delete(held)) await connection.close()
      }
      const held = { query: connection.query, close, serial: leaf.serial }
      open.add(held)
      return held
    },
  }
}

export function issueClient({ serialAsName = false }: Pick<ClientLibrary, 'serialAsName'> = {}): Leaf {
  // Positive and without leading zeros, so that the name equals the serial in Node's format.
  const serial = `5${randomBytes(15).toString('hex').slice(1)}`.toUpperCase().padStart(32, '5')
  return clientAuthority.issue({ serial, commonName: serialAsName ? serial : 'app', names: ['app'] })
}

export function issueServer(authority: Authority): Leaf {
  return authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] })
}
