import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import type { Clock } from '../../src/main/base/clock.js'
import { type ControlServer, startControlServer } from '../../src/main/control/control-server.js'
import type { HttpLimits } from '../../src/main/control/http-server.js'
import { type ControlServerOptions, resolveControlOptions } from '../../src/main/control/options.js'
import { startEngine } from '../../src/main/engine/engine.js'
import type { ReloadEngine, ReloadEngineOptions } from '../../src/main/index.js'
import { type LogLine, recordingLogger } from '../base/recording-logger.js'
import { type PairFiles, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { type Authority, createAuthority, type Leaf } from '../material/certificates.js'
import { standIn } from '../worker/stand-in.js'

export interface ControlledEngine {
  readonly dir: string
  readonly authority: Authority
  readonly first: Leaf
  readonly files: PairFiles
  readonly engine: ReloadEngine
  readonly control: ControlServer
  /** Path of the socket. */
  readonly socket: string
  readonly log: LogLine[]
  /** Replaces the pair on disk. */
  rotate(): Leaf
  readonly gate: Gate
}

/** Holds back passes of a `gated` engine after they have read the files. */
export interface Gate {
  close(): void
  /** Resolves once a pass is held back. */
  holds(): Promise<void>
  open(): void
}

export interface ControlledOptions {
  /** Whether `closeGate()` can hold back passes. */
  readonly gated?: boolean
  readonly engine?: Partial<ReloadEngineOptions>
  /** The clock of the engine; its worker uses the real one. */
  readonly clock?: Clock
  readonly control?: (engine: ReloadEngine) => Partial<ControlServerOptions>
  readonly limits?: Partial<HttpLimits>
}

/** An engine with a new pair and a control server; both are closed at the end of the test. */
export async function controlledEngine(
  t: TestContext,
  options: ControlledOptions = {},
): Promise<ControlledEngine> {
  const dir = tempDir(t)
  const authority = createAuthority()
  const first = authority.issue()
  const files = writePair(dir, first)
  const logger = recordingLogger()
  const engine = await startEngine(
    { ...files, logger, ...options.engine },
    {
      ...(options.clock ? { clock: options.clock } : {}),
      ...(options.gated ? { workerTasks: standIn('gated') } : {}),
    },
  )
  t.after(() => engine.close())
  const socket = join(dir, 'control.sock')
  const control = await startControlServer(
    resolveControlOptions({ engine, path: socket, logger, ...options.control?.(engine) }),
    options.limits,
  )
  t.after(() => control.close())
  const rotate = () => {
    const leaf = authority.issue()
    writePair(dir, leaf)
    return leaf
  }
  return {
    dir,
    authority,
    first,
    files,
    engine,
    control,
    socket,
    log: logger.lines,
    rotate,
    gate: gateIn(dir),
  }
}

function gateIn(dir: string): Gate {
  const gate = join(dir, 'gate')
  const held = join(dir, 'held')
  return {
    close: () => writeFileSync(gate, ''),
    async holds() {
      while (!existsSync(held)) await delay(5)
      rmSync(held)
    },
    open: () => rmSync(gate),
  }
}

export interface ControlRequest {
  readonly method?: string
  readonly headers?: http.OutgoingHttpHeaders
  readonly body?: string
}

export interface ControlReply {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  /** The parsed JSON response. */
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what it expects.
  readonly json: any
}

/** One request to a control server on a socket. */
export async function request(
  socketPath: string,
  path: string,
  { method = 'GET', headers = {}, body }: ControlRequest = {},
): Promise<ControlReply> {
  const sent = http.request({ socketPath, path, method, headers, agent: false })
  // After the response, Node may still have an empty write for a connection that has ended.
  sent.on('error', () => {})
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
  const text = await textOf(response)
  const isJson = /json/.test(response.headers['content-type'] ?? '')
  return {
    status: response.statusCode as number,
    headers: response.headers,
    text,
    json: isJson && text !== '' ? JSON.parse(text) : undefined,
  }
}

/** A connection for arbitrary data; destroyed after the test. */
export async function rawConnection(t: TestContext, socketPath: string): Promise<Socket> {
  const socket = connect(socketPath)
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** All data until the other side ends. */
export async function received(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  if (!socket.closed) await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}
