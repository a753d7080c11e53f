import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import http2, { type ClientHttp2Session } from 'node:http2'
import https from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'

import { SLOW } from './slow.js'
import type { Tally } from './tally.js'

/** A backend, as a load balancer knows it. */
export interface Route {
  readonly http1: number
  readonly http2: number
}

const KEEP_ALIVE_CLIENTS = 40
const SESSIONS = 10
const STREAMS_OF_A_SESSION = 2
/** Time limit of a response; more than three times the longest one. */
const PATIENCE_MS = 5_000
/** Pause between a response and the next request. */
const THINK_MS = 20

/** Failures seen by clients, which never repeat a request. */
export interface Seen {
  answers: number
  readonly errors: Tally
  readonly cut: Tally
}

/** 40 clients with keep-alive connections and 10 with HTTP/2 sessions, which send requests to the backends in turn. */
export function startLoad(routes: ReadonlySet<Route>, seen: Seen) {
  const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false })
  let stopped = false
  const loop = async (turn: number, ask: (route: Route) => Promise<void>) => {
    for (let i = turn; !stopped; i++) {
      const all = [...routes]
      try {
        await ask(all[i % all.length] as Route)
        seen.answers++
      } catch (error) {
        seen.errors.add(nameOf(error))
      }
      await pause(THINK_MS * (0.5 + Math.random()))
    }
  }
  const sessions = Array.from({ length: SESSIONS }, () => new SessionClient())
  const loops = [
    ...Array.from({ length: KEEP_ALIVE_CLIENTS }, (_, i) => loop(i, ({ http1 }) => getHttp1(agent, http1))),
    ...sessions.flatMap((one) =>
      Array.from({ length: STREAMS_OF_A_SESSION }, (_, i) => loop(i, ({ http2: port }) => one.get(port))),
    ),
  ]
  return {
    async stop() {
      stopped = true
      await Promise.all(loops)
      agent.destroy()
      for (const one of sessions) one.destroy()
    },
  }
}

/** Long responses that are in progress when the backend is stopped; an incomplete one counts as cut. */
export async function downloadSlowly(
  count: number,
  { http1, http2: port }: Route,
  seen: Seen,
): Promise<void> {
  const agent = new https.Agent({ rejectUnauthorized: false })
  const session = new SessionClient()
  const download = async (kind: string, get: () => Promise<number>) => {
    const bytes = await get().catch(() => 0)
    if (bytes !== SLOW.pieces * SLOW.bytes) seen.cut.add(kind)
  }
  await Promise.all(
    Array.from({ length: count }, () => [
      download('HTTP/1.1', () => bytesOverHttp1(agent, http1, '/slow')),
      download('HTTP/2', () => session.bytes(port, '/slow')),
    ]).flat(),
  )
  agent.destroy()
  session.destroy()
}

async function getHttp1(agent: https.Agent, port: number): Promise<void> {
  if ((await bytesOverHttp1(agent, port, '/')) !== ANSWER_BYTES) throw new Error('cut short')
}

const ANSWER_BYTES = 'answer'.length

async function bytesOverHttp1(agent: https.Agent, port: number, path: string): Promise<number> {
  const request = https.get({ agent, port, path, host: '127.0.0.1', signal: patience() })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length
  return bytes
}

/** A client that keeps a session with each backend, and opens a new one after a GOAWAY. */
class SessionClient {
  readonly #sessions = new Map<number, ClientHttp2Session>()

  async get(port: number): Promise<void> {
    if ((await this.bytes(port, '/')) !== ANSWER_BYTES) throw new Error('cut short')
  }

  async bytes(port: number, path: string): Promise<number> {
    const stream = this.#session(port).request({ ':path': path }, { signal: patience() })
    let bytes = 0
    let ended = false
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    stream.once('end', () => {
      ended = true
    })
    const closed = new Promise<void>((resolve, reject) => stream.once('close', resolve).once('error', reject))
    await closed
    if (!ended) throw new Error(`stream closed with ${stream.rstCode}`)
    return bytes
  }

  destroy(): void {
    for (const session of this.#sessions.values()) session.destroy()
  }

  #session(port: number): ClientHttp2Session {
    const known = this.#sessions.get(port)
    if (known && !known.closed && !known.destroyed) return known
    const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    const forget = () => {
      if (this.#sessions.get(port) === session) this.#sessions.delete(port)
    }
    session
      .on('error', () => {})
      .once('goaway', forget)
      .once('close', forget)
    this.#sessions.set(port, session)
    return session
  }
}

function patience(): AbortSignal {
  return AbortSignal.timeout(PATIENCE_MS)
}

function nameOf(error: unknown): string {
  const { code, message, cause } = error as NodeJS.ErrnoException
  if (error instanceof Error && error.name === 'AbortError') return 'never answered'
  // The session of the stream could not connect.
  if (cause) return nameOf(cause)
  return code === 'ERR_HTTP2_STREAM_ERROR' ? message.replace(/^.* /, '') : (code ?? message)
}
