import http, { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'

import { printableJson } from '../../workers/base/printable.js'
import { ConnectionShares } from './connection-shares.js'
import { feedInPieces } from './feed-in-pieces.js'
import { createPace, type Pace, type PaceLimits } from './pace.js'
import { problemAnswer } from './problem-document.js'
import type { Answer } from './route.js'

/** What one client may cost. */
export interface HttpLimits {
  readonly headerBytes: number
  readonly bodyBytes: number
  /** Until the headers, and until the whole request, have arrived. */
  readonly headersMs: number
  readonly requestMs: number
  /** Silence on a connection, the wait for an answer included. */
  readonly silenceMs: number
  /** Connections of clients that have shown that they may ask (see `Credentials`), and of all others. */
  readonly connections: number
  readonly strangers: number
  /** From the first words of one connection to those of the next, however many speak at the same moment. */
  readonly wordsGapMs: number
  /** Pace at which answers begin. */
  readonly pace: PaceLimits
  /** Pace of refusals of incomplete requests, separate so that they never delay an answer. */
  readonly refusalPace: PaceLimits
  /** After `close()`: how long a request may take to arrive, and how long its answer may take. */
  readonly quietMs: number
  readonly graceMs: number
}

export const HTTP_LIMITS: Omit<HttpLimits, 'silenceMs'> = {
  headerBytes: 8 * 1024,
  bodyBytes: 16 * 1024,
  headersMs: 5_000,
  requestMs: 10_000,
  connections: 16,
  strangers: 64,
  wordsGapMs: 10,
  pace: { gapMs: 20, burst: 16, steadyMs: 200 },
  refusalPace: { gapMs: 50, burst: 4, steadyMs: 200 },
  quietMs: 500,
  graceMs: 5_000,
}

/** A request with its whole body, which is where `@hono/node-server` looks for one that has been read. */
export type ReadRequest = IncomingMessage & { rawBody?: Buffer }

export interface ControlHttpServer {
  readonly server: http.Server
  /** Answers the requests that have arrived, then ends; a client that delays is cut. */
  close(): Promise<void>
}

/** What tells a client that may ask from all others. */
export interface Credentials {
  /** Whether they are in the first bytes of a connection. A client whose first bytes hold them is never kept waiting. */
  readonly within: (bytes: Buffer) => boolean
  /** Whether they are in a request whose headers have arrived. */
  readonly in: (request: IncomingMessage) => boolean
}

/** For a socket that only permitted users can connect to: every client that has sent a whole request may ask. */
export const ANY_REQUEST: Credentials = {
  within: (bytes) => bytes.includes('\r\n\r\n'),
  in: () => true,
}

export interface HttpParts {
  readonly limits: HttpLimits
  readonly credentials: Credentials
  /** Answers a request that has arrived as a whole. */
  readonly serve: (request: ReadRequest, response: ServerResponse) => void
  /** Told of every request that was refused before it had arrived. */
  readonly refused: (status: number) => void
}

/**
 * An HTTP server of one request per connection, that no client can hold up, and that takes little of the event loop from
 * the servers beside it, however many clients there are and whatever they send.
 */
export function createHttpServer({ limits, credentials, serve, refused }: HttpParts): ControlHttpServer {
  const server = http.createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    // Node looks for late requests this often, every 30 s unless told otherwise.
    connectionsCheckingInterval: Math.min(1_000, limits.headersMs),
    requireHostHeader: true,
  })
  server.timeout = limits.silenceMs
  const open = new Set<Socket>()
  const shares = new ConnectionShares({ strangers: limits.strangers, known: limits.connections })
  /** Connections whose request has arrived or is refused: nothing else may be written to them. */
  const taken = new WeakMap<Socket, IncomingMessage | null>()
  const answering = new WeakSet<Socket>()
  const refusing = new WeakSet<Socket>()
  const turn = withGapAlone({ ...limits.pace, gapMs: limits.wordsGapMs })
  const turnOfStrangers = withGapAlone({ ...limits.pace, gapMs: limits.wordsGapMs })
  let pace = createPace(limits.pace)
  let refusalPace = createPace(limits.refusalPace)

  const take = async (request: IncomingMessage, response: ServerResponse, expects: boolean) => {
    const { socket } = request
    // A pipelined request: the connection ends with the first answer, so this one must not even run.
    if (taken.has(socket)) return
    taken.set(socket, request)
    response.shouldKeepAlive = false
    if (credentials.in(request) && !shares.know(socket)) return
    const wanted = () => !socket.destroyed
    const body = await readBody(request, limits.bodyBytes, {
      begin: () => expects && response.writeContinue(),
      // Not when this function goes on: until then the parser would be fed all of what has arrived.
      excess: () => refusing.add(socket),
    })
    if (body === 'gone' || answering.has(socket)) return
    answering.add(socket)
    if (body !== 'too-large') {
      // A refusal, which is all that a stranger gets, delays no answer.
      await (shares.knows(socket) ? pace : refusalPace)(wanted)
      return serve(Object.assign(request, { rawBody: body }), response)
    }
    await refusalPace(wanted)
    refuse(socket, problemAnswer('body-too-large', `expected at most ${limits.bodyBytes} bytes`))
  }

  const spoil = async (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || answering.has(socket)) return void socket.destroy()
    answering.add(socket)
    refusing.add(socket)
    taken.set(socket, null)
    await refusalPace(() => !socket.destroyed)
    refuse(socket, clientErrorAnswer(error.code, limits))
  }

  /** The answer to what is not read to its end, and a while for the client to see it. */
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
      if (credentials.within(first)) shares.know(socket)
      return (shares.knows(socket) ? turn : turnOfStrangers)(() => !socket.destroyed)
    }
    feedInPieces(socket, { interest, turn: turnOf })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => void spoil(error, socket as Socket))

  return {
    server,
    async close() {
      // No more connections will come, and those that are open should not keep the process.
      pace = withGapAlone(limits.pace)
      refusalPace = withGapAlone(limits.refusalPace)
      await acceptWaiting(server)
      // Only a TCP port still has new ones: of a Unix socket the path is gone by now.
      server.on('connection', (socket) => socket.destroy())
      const cut = (which: (socket: Socket) => boolean) => {
        for (const socket of open) if (which(socket)) socket.destroy()
      }
      const quiet = setTimeout(
        () => cut((socket) => !answering.has(socket) || refusing.has(socket)),
        limits.quietMs,
      )
      const grace = setTimeout(() => cut(() => true), limits.graceMs)
      // Not before: Node's close() cuts what has been answered, though the answer may not have left yet.
      while (open.size > 0) await Promise.all([...open].map(closed))
      clearTimeout(quiet)
      clearTimeout(grace)
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** However many come. */
function withGapAlone(limits: PaceLimits): Pace {
  return createPace({ ...limits, burst: Number.POSITIVE_INFINITY })
}

/** More than can wait to be accepted. */
const MAX_TURNS = 1_024

/** Clients that have connected by now get an answer. Some versions of libuv accept one connection in a turn of the loop. */
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

/** What a client that is still sending gets to read its answer, in milliseconds. */
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
