import http, { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'

import { printableJson } from '../../workers/base/printable.js'
import { ConnectionShares } from './connection-shares.js'
import { feedInPieces } from './feed-in-pieces.js'
import { createPace, type Pace, type PaceLimits } from './pace.js'
import { problemAnswer } from './problem-document.js'
import type { Answer } from './route.js'

/** Limits of the cost of clients. */
export interface HttpLimits {
  readonly headerBytes: number
  readonly bodyBytes: number
  /** Time limits for the headers and for the whole request to arrive. */
  readonly headersMs: number
  readonly requestMs: number
  /** Time limit of silence on a connection, including the wait for a response. */
  readonly silenceMs: number
  /** Most connections of authorized clients (see `Credentials`), and of all others. */
  readonly connections: number
  readonly unauthorized: number
  /** Minimum gap between starting to parse two connections. */
  readonly firstBytesGapMs: number
  /** Pace at which responses begin. */
  readonly pace: PaceLimits
  /** Pace of refusals of incomplete requests, separate so that they never delay a response. */
  readonly refusalPace: PaceLimits
  /** After `close()`: time limits for a request to arrive, and for its response. */
  readonly quietMs: number
  readonly graceMs: number
}

export const HTTP_LIMITS: Omit<HttpLimits, 'silenceMs'> = {
  headerBytes: 8 * 1024,
  bodyBytes: 16 * 1024,
  headersMs: 5_000,
  requestMs: 10_000,
  connections: 16,
  unauthorized: 64,
  firstBytesGapMs: 10,
  pace: { gapMs: 20, burst: 16, steadyMs: 200 },
  refusalPace: { gapMs: 50, burst: 4, steadyMs: 200 },
  quietMs: 500,
  graceMs: 5_000,
}

/** A request with its whole body in `rawBody`, where `@hono/node-server` expects a body that was already read. */
export type ReadRequest = IncomingMessage & { rawBody?: Buffer }

export interface ControlHttpServer {
  readonly server: http.Server
  /** Answers the requests that have arrived, then closes; slow clients are cut. */
  close(): Promise<void>
}

/** Recognizes authorized clients. */
export interface Credentials {
  /** Whether the first bytes of a connection contain the credentials. Such a client never waits for unauthorized ones. */
  readonly within: (bytes: Buffer) => boolean
  /** Whether a request, whose headers have arrived, contains the credentials. */
  readonly in: (request: IncomingMessage) => boolean
}

/** For a socket that only permitted users can connect to: every client that sends complete headers is authorized. */
export const ANY_REQUEST: Credentials = {
  within: (bytes) => bytes.includes('\r\n\r\n'),
  in: () => true,
}

export interface HttpParts {
  readonly limits: HttpLimits
  readonly credentials: Credentials
  /** Answers a request that has arrived completely. */
  readonly serve: (request: ReadRequest, response: ServerResponse) => void
  /** Called for every request that was refused before it had arrived. */
  readonly refused: (status: number) => void
}

/**
 * An HTTP server with one request per connection. No client can block it, and it takes little time of the event loop, for
 * any number of clients and any bytes that they send.
 */
export function createHttpServer({ limits, credentials, serve, refused }: HttpParts): ControlHttpServer {
  const server = http.createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    // Interval at which Node checks `headersTimeout` and `requestTimeout`; its default is 30 s.
    connectionsCheckingInterval: Math.min(1_000, limits.headersMs),
    requireHostHeader: true,
  })
  server.timeout = limits.silenceMs
  const open = new Set<Socket>()
  const shares = new ConnectionShares({ unauthorized: limits.unauthorized, authorized: limits.connections })
  /** Connections whose request has arrived, or is refused (`null`): nothing else may be written to them. */
  const taken = new WeakMap<Socket, IncomingMessage | null>()
  const answering = new WeakSet<Socket>()
  const refusing = new WeakSet<Socket>()
  const turn = withGapAlone({ ...limits.pace, gapMs: limits.firstBytesGapMs })
  const turnOfUnauthorized = withGapAlone({ ...limits.pace, gapMs: limits.firstBytesGapMs })
  let pace = createPace(limits.pace)
  let refusalPace = createPace(limits.refusalPace)

  const take = async (request: IncomingMessage, response: ServerResponse, expects: boolean) => {
    const { socket } = request
    // A pipelined request must not run: the connection ends with the first response.
    if (taken.has(socket)) return
    taken.set(socket, request)
    response.shouldKeepAlive = false
    if (credentials.in(request) && !shares.markAuthorized(socket)) return
    const wanted = () => !socket.destroyed
    const body = await readBody(request, limits.bodyBytes, {
      begin: () => expects && response.writeContinue(),
      // Synchronously: otherwise the parser would be fed all received data until this function continues.
      excess: () => refusing.add(socket),
    })
    if (body === 'gone' || answering.has(socket)) return
    answering.add(socket)
    if (body !== 'too-large') {
      // Unauthorized clients only get refusals, which must not delay responses.
      await (shares.isAuthorized(socket) ? pace : refusalPace)(wanted)
      return serve(Object.assign(request, { rawBody: body }), response)
    }
    await refusalPace(wanted)
    refuse(socket, problemAnswer('body-too-large', `expected at most ${limits.bodyBytes} bytes`))
  }

  const refuseBroken = async (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || answering.has(socket)) return void socket.destroy()
    answering.add(socket)
    refusing.add(socket)
    taken.set(socket, null)
    await refusalPace(() => !socket.destroyed)
    refuse(socket, clientErrorAnswer(error.code, limits))
  }

  /** Answers a request that is not read to its end, and gives the client time to read the response. */
  const refuse = (socket: Socket, answer: Answer) => {
    if (socket.destroyed) return
    refused(answer.status)
    socket.end(rawResponse(answer))
    lingerThenDestroy(socket)
  }

  server.on('request', (request, response) => void take(request, response, false))
  server.on('checkContinue', (request, response) => void take(request, response, true))
  server.on('connection', (socket) => {
    open.add(socket)
    shares.admit(socket)
    socket.once('close', () => open.delete(socket))
    const interest = () =>
      refusing.has(socket) ? 'nothing' : taken.get(socket)?.complete === true ? 'end' : 'all'
    const turnOf = (first: Buffer) => {
      if (credentials.within(first)) shares.markAuthorized(socket)
      return (shares.isAuthorized(socket) ? turn : turnOfUnauthorized)(() => !socket.destroyed)
    }
    feedInPieces(socket, { interest, turn: turnOf })
  })
  server.on(
    'clientError',
    (error: NodeJS.ErrnoException, socket) => void refuseBroken(error, socket as Socket),
  )

  return {
    server,
    async close() {
      // Without a burst limit: no new connections come, and the open ones should end soon.
      pace = withGapAlone(limits.pace)
      refusalPace = withGapAlone(limits.refusalPace)
      await acceptWaiting(server)
      // Only a TCP port still gets new ones; the path of a Unix socket has been removed.
      server.on('connection', (socket) => socket.destroy())
      const cut = (which: (socket: Socket) => boolean) => {
        for (const socket of open) if (which(socket)) socket.destroy()
      }
      const quiet = setTimeout(
        () => cut((socket) => !answering.has(socket) || refusing.has(socket)),
        limits.quietMs,
      )
      const grace = setTimeout(() => cut(() => true), limits.graceMs)
      // Before `server.close()`, which cuts answered connections even if the response is not sent yet.
      while (open.size > 0) await Promise.all([...open].map(closed))
      clearTimeout(quiet)
      clearTimeout(grace)
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** A pace with the gap, but without the burst limit. */
function withGapAlone(limits: PaceLimits): Pace {
  return createPace({ ...limits, burst: Number.POSITIVE_INFINITY })
}

/** Maximum number of turns to wait; more than connections can wait to be accepted. */
const MAX_TURNS = 1_024

/** Accepts the clients that have connected by now. Some versions of libuv accept only one connection per turn of the loop. */
async function acceptWaiting(server: http.Server): Promise<void> {
  let calmTurns = 0
  const arrived = () => {
    calmTurns = 0
  }
  server.on('connection', arrived).on('drop', arrived)
  for (let turns = 0; calmTurns < 2 && turns < MAX_TURNS; turns++) {
    calmTurns++
    await new Promise((resolve) => setImmediate(resolve))
  }
  server.off('connection', arrived).off('drop', arrived)
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** Milliseconds that a client that is still sending gets to read its response. */
const LINGER_MS = 1_000

function readBody(
  request: IncomingMessage,
  maxBytes: number,
  { begin, excess }: { begin(): void; excess(): void },
): Promise<Buffer | 'too-large' | 'gone'> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
    excess()
    return Promise.resolve('too-large')
  }
  begin()
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBytes) return void chunks.push(chunk)
      excess()
      resolve('too-large')
    })
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('close', () => resolve('gone'))
    request.on('error', () => resolve('gone'))
  })
}

function clientErrorAnswer(code: string | undefined, limits: HttpLimits): Answer {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return problemAnswer('request-timeout', `expected the whole request within ${limits.requestMs} ms`)
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return problemAnswer('headers-too-large', `expected at most ${limits.headerBytes} bytes of headers`)
  }
  return problemAnswer('malformed-request', 'this is not an HTTP request')
}

function rawResponse({ status, json, type }: Answer): string {
  const body = `${printableJson(json)}\n`
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}

function lingerThenDestroy(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}
