import { setTimeout as sleep } from 'node:timers/promises'

import { type HandshakeLog, Handshakes, type Kind } from './handshakes.js'
import { KeepAlive, type KeepAliveLog } from './keep-alive.js'
import { sharedNowMs } from './now.js'

export interface LoadOptions {
  readonly port: number
  readonly seconds: number
  readonly handshakesPerSecond: number
  readonly kinds: readonly Kind[]
  readonly keepAliveConnections: number
}

export interface LoadReport {
  /** Time on the clock that all processes share. */
  readonly startMs: number
  readonly handshakes: HandshakeLog
  readonly keepAlive: KeepAliveLog
}

/** Milliseconds before the window; keep-alive requests already run. */
const WARM_UP_MS = 300
const PAUSE_MS = 10

/** Load with sessions, open connections and compiled code. */
export interface ReadyLoad {
  /** @param startMs on the shared clock. @defaultValue now */
  run(startMs?: number): Promise<LoadReport>
}

/** One window of load from this process: new connections in an open loop, and requests on keep-alive connections. */
export async function prepareLoad(options: LoadOptions): Promise<ReadyLoad> {
  const { port, seconds, kinds, handshakesPerSecond: perSecond, keepAliveConnections: connections } = options
  const handshakes = new Handshakes({ port, kinds, perSecond })
  const keepAlive = new KeepAlive({ port, connections, pauseMs: PAUSE_MS })
  await handshakes.prepare()
  await keepAlive.prepare()
  await sleep(WARM_UP_MS)
  return {
    async run(startMs = sharedNowMs()) {
      keepAlive.begin(startMs)
      await handshakes.run(startMs, startMs + seconds * 1000)
      keepAlive.end()
      return { startMs, handshakes: handshakes.log, keepAlive: keepAlive.log }
    },
  }
}

/**
 * The same load on several servers at the same time. Connections to them start in turns, so that disturbances of the machine
 * or of this process affect all of them.
 */
export async function runSideBySide(
  options: Omit<LoadOptions, 'port'>,
  ports: readonly number[],
): Promise<LoadReport[]> {
  const loads = await Promise.all(ports.map((port) => prepareLoad({ ...options, port })))
  const startMs = sharedNowMs()
  const stepMs = 1000 / options.handshakesPerSecond / ports.length
  return await Promise.all(loads.map((load, i) => load.run(startMs + i * stepMs)))
}
