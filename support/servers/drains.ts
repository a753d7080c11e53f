import { once } from 'node:events'
import type http from 'node:http'
import http2, { type ServerHttp2Stream } from 'node:http2'
import https from 'node:https'
import type { Server, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import tls from 'node:tls'

import { openDrain } from '../../src/main/drain/drain.js'
import {
  type ConnectionClosed,
  type ConnectionCounts,
  createDrain,
  type Drain,
  type DrainOptions,
} from '../../src/main/drain/index.js'
import { resolveDrainOptions } from '../../src/main/drain/options.js'
import { type Arrivals, arrivals } from '../base/arrivals.js'
import { type FakeClock, fakeClock } from '../base/fake-clock.js'
import { type RecordingLogger, recordingLogger } from '../base/recording-logger.js'
import { selfSigned } from '../material/certificates.js'
import { listen, type Owner } from './echo-server.js'

type Options = Omit<DrainOptions, 'servers'>

export interface TestedDrain {
  readonly drain: Drain
  readonly logger: RecordingLogger
  readonly port: number
  /** Connections that ended during the drain, so far. */
  readonly left: ConnectionClosed[]
}

/** A drain of one listening server. Remaining connections are cut after the test. */
export async function drainOf(t: Owner, server: Server, options: Options = {}): Promise<TestedDrain> {
  const logger = recordingLogger()
  const drain = createDrain({ servers: [server], logger, ...options })
  return { drain, left: followed(t, drain), logger, port: await listen(t, server) }
}

/** The same with a fake clock. */
export async function stillDrainOf(
  t: TestContext,
  server: Server,
  options: Options = {},
): Promise<TestedDrain & { readonly clock: FakeClock }> {
  const logger = recordingLogger()
  const clock = fakeClock()
  const drain = openDrain(resolveDrainOptions({ servers: [server], logger, ...options }, {}), { clock })
  return { drain, left: followed(t, drain), clock, logger, port: await listen(t, server) }
}

function followed(t: Owner, drain: Drain): ConnectionClosed[] {
  const left: ConnectionClosed[] = []
  drain.on('connection-closed', (closed) => left.push(closed))
  t.after(() => drain.close())
  return left
}

/** Counts without any connection. */
export const none: ConnectionCounts = { handshake: 0, http1: 0, http2: 0, upgraded: 0, raw: 0, tracked: 0 }

/** The certificate and key of every server of a test file. */
export const identity: { readonly cert: string; readonly key: string } = makeIdentity()

function makeIdentity() {
  const { certPem, keyPem } = selfSigned()
  return { cert: certPem, key: keyPem }
}

export function httpsServer(handler: http.RequestListener, options: https.ServerOptions = {}): https.Server {
  return https.createServer({ ...identity, ...options }, handler)
}

export function http2Server(options: http2.SecureServerOptions = {}): http2.Http2SecureServer {
  const server = http2.createSecureServer({ ...identity, ...options })
  // A client that aborts fails its own test.
  server.on('sessionError', () => {})
  return server
}

export type Exchange = [request: http.IncomingMessage, response: http.ServerResponse]

/** An HTTPS server whose responses the test sends. */
export function pausedHttps(options: https.ServerOptions = {}): {
  readonly server: https.Server
  readonly requests: Arrivals<Exchange>
} {
  const requests = arrivals<Exchange>()
  return { server: httpsServer((...exchange) => requests.put(exchange), options), requests }
}

/** An HTTP/2 server whose responses the test sends. */
export function pausedHttp2(): {
  readonly server: http2.Http2SecureServer
  readonly streams: Arrivals<ServerHttp2Stream>
} {
  const streams = arrivals<ServerHttp2Stream>()
  const server = http2Server()
  server.on('stream', (stream: ServerHttp2Stream) => streams.put(stream))
  return { server, streams }
}

/** A Node HTTP/2 client; destroyed with the test. */
export function http2Client(
  t: TestContext,
  port: number,
  options: http2.SecureClientSessionOptions = {},
): http2.ClientHttp2Session {
  const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ...options })
  session.on('error', () => {}) // Its streams emit it too.
  t.after(() => session.destroy())
  return session
}

/** A connection on which the test sends data itself; destroyed with the test. */
export async function connectTls(
  t: TestContext,
  port: number,
  options: tls.ConnectionOptions & { readonly allowHalfOpen?: boolean } = {},
): Promise<tls.TLSSocket> {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

/** The data of a connection up to its end, and how it ended. */
export interface Ending {
  readonly text: string
  /** `end` for a FIN, else the code of the error. */
  readonly how: string
}

/** Reads a connection to its end. */
export function readToEnd(socket: Socket): Promise<Ending> {
  const chunks: Buffer[] = []
  return new Promise((resolve) => {
    let how = 'close'
    socket
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        how = 'end'
      })
      .on('error', (error: NodeJS.ErrnoException) => {
        how = error.code ?? error.message
      })
      .on('close', () => resolve({ text: Buffer.concat(chunks).toString('latin1'), how }))
  })
}

/** Waits until the data received from now on contains this text. */
export function received(socket: Socket, text: string): Promise<string> {
  let all = ''
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      all += chunk.toString()
      if (!all.includes(text)) return
      socket.off('data', take).off('close', lose)
      resolve(all)
    }
    const lose = () =>
      reject(new Error(`closed before ${JSON.stringify(text)} was received: ${JSON.stringify(all)}`))
    socket.on('data', take).on('close', lose)
  })
}
