import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import tls from 'node:tls'

import type { ReloadEngine, ReloadEngineOptions } from '../../src/main/index.js'
import { type Arrivals, arrivals } from '../base/arrivals.js'
import { type RecordingLogger, recordingLogger } from '../base/recording-logger.js'
import { overwriteInPlace, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { type Authority, createAuthority } from '../material/certificates.js'
import { listen } from '../servers/echo-server.js'
import { assertApplied, startEngine } from './engines.js'

/** The chain and the key of a client, as PEM. */
export interface ClientIdentity {
  readonly cert: string
  readonly key: string
}

/** One connection from both sides. */
export interface LiveConnection {
  readonly name: string
  readonly client: tls.TLSSocket
  readonly server: tls.TLSSocket
}

/** A server with mutual TLS whose trust the test changes, and whose connections are judged by that trust. */
export interface PeerSite {
  readonly engine: ReloadEngine
  readonly server: tls.Server
  readonly port: number
  readonly logger: RecordingLogger
  readonly trustFiles: { readonly ca: string; readonly crl: string | undefined }
  connect(name: string, identity: ClientIdentity, options?: tls.ConnectionOptions): Promise<LiveConnection>
  /** Replaces the CAs by these, and reloads. */
  trust(...authorities: readonly { readonly certPem: string }[]): Promise<void>
  revoke(...lists: readonly string[]): Promise<void>
  /** Names of the connections that the engine distrusts, sorted. */
  distrusted(engine?: Pick<ReloadEngine, 'distrusted'>): Promise<string[]>
}

export interface PeerSiteOptions {
  readonly crl?: readonly string[]
  readonly engine?: Partial<ReloadEngineOptions>
  readonly server?: tls.TlsOptions
  /** Called by the application for each connection, first of all. */
  readonly onConnection?: (socket: tls.TLSSocket) => void
}

export async function peerSite(
  t: TestContext,
  authorities: readonly { readonly certPem: string }[],
  { crl, engine: engineOptions = {}, server: serverOptions = {}, onConnection }: PeerSiteOptions = {},
): Promise<PeerSite> {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.pem')
  const lists = crl ? join(dir, 'crl.pem') : undefined
  overwriteInPlace(ca, bundle(authorities))
  if (lists && crl) overwriteInPlace(lists, crl.join(''))
  const logger = recordingLogger()
  const engine = await startEngine(t, {
    ...writePair(dir, createAuthority().issue()),
    ca,
    ...(lists ? { crl: lists } : {}),
    requestCert: true,
    logger,
    ...engineOptions,
  })
  const sockets: Arrivals<tls.TLSSocket> = arrivals()
  const server = tls.createServer({ ...engine.serverOptions(), ...serverOptions }, (socket) => {
    socket.on('error', () => {}).resume()
    onConnection?.(socket)
    sockets.put(socket)
  })
  server.on('tlsClientError', () => {})
  engine.attach(server)
  const port = await listen(t, server)
  const connections: LiveConnection[] = []
  const change = async (path: string, content: string) => {
    overwriteInPlace(path, content)
    assertApplied(await engine.reload())
  }
  return {
    engine,
    server,
    port,
    logger,
    trustFiles: { ca, crl: lists },
    async connect(name, identity, options = {}) {
      const client = tls.connect({
        host: '127.0.0.1',
        port,
        servername: 'localhost',
        rejectUnauthorized: false,
        ...identity,
        ...options,
      })
      t.after(() => client.destroy())
      client.on('error', () => {}).resume()
      const [accepted] = await Promise.all([sockets.next(), once(client, 'secureConnect')])
      const connection = { name, client, server: accepted }
      connections.push(connection)
      return connection
    },
    trust: (...all) => change(ca, bundle(all)),
    revoke: (...all) => change(lists as string, all.join('')),
    async distrusted(judge = engine) {
      const found = await judge.distrusted(connections.map((connection) => connection.server))
      return connections
        .filter((connection) => found.has(connection.server))
        .map(({ name }) => name)
        .sort()
    },
  }
}

/** A client with a certificate of this CA. */
export function clientOf(authority: Authority): ClientIdentity {
  return identityOf(authority.issue({ extendedKeyUsage: 'client' }))
}

export function identityOf(
  leaf: { readonly chainPem: string; readonly keyPem: string },
  ...more: readonly string[]
): ClientIdentity {
  return { cert: leaf.chainPem + more.join(''), key: leaf.keyPem }
}

function bundle(authorities: readonly { readonly certPem: string }[]): string {
  return authorities.map(({ certPem }) => certPem).join('')
}
