import type { Http2SecureServer } from 'node:http2'
import type { Server as HttpsServer } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'

import { createTerminus } from '@godaddy/terminus'
import closeWithGrace from 'close-with-grace'
import gracefulShutdown from 'http-graceful-shutdown'
import { createHttpTerminator } from 'http-terminator'
import stoppable from 'stoppable'

import { createDrain, handleSignals } from '../../src/main/drain/index.js'

/** The servers of one process: HTTP/1.1 on one port, HTTP/2 on another. */
export interface Servers {
  readonly http1: HttpsServer
  readonly http2: Http2SecureServer
}

/** Installs the shutdown on SIGTERM, as documented by a library. */
type Shutdown = (servers: Servers, lameDuckMs: number) => void

/** Milliseconds after which all of them cut connections; more than twice the longest response. */
const DEADLINE_MS = 4_000

/** By the name in the table. */
export const SHUTDOWNS: Readonly<Record<string, Shutdown>> = {
  certswap({ http1, http2 }, lameDuckMs) {
    const drain = createDrain({
      servers: [http1, http2],
      lameDuckMs,
      deadlineMs: DEADLINE_MS,
      logger: silent,
    })
    handleSignals(drain, undefined, { logger: silent })
  },

  'server.close()'(servers, lameDuckMs) {
    onSigterm(lameDuckMs, () => closeAll(servers))
  },

  'http-terminator'({ http1, http2 }, lameDuckMs) {
    const terminators = [http1, http2].map((server) =>
      createHttpTerminator({ server: server as HttpsServer, gracefulTerminationTimeout: DEADLINE_MS }),
    )
    onSigterm(lameDuckMs, () => Promise.all(terminators.map((one) => one.terminate())))
  },

  stoppable({ http1, http2 }, lameDuckMs) {
    const stops = [http1, http2].map((server) => stoppable(server, DEADLINE_MS))
    const stopped = () => stops.map((one) => new Promise<void>((resolve) => one.stop(() => resolve())))
    onSigterm(lameDuckMs, () => Promise.all(stopped()))
  },

  terminus({ http1, http2 }, lameDuckMs) {
    for (const server of [http1, http2]) {
      createTerminus(server, { timeout: DEADLINE_MS, beforeShutdown: () => pause(lameDuckMs), logger() {} })
    }
  },

  'http-graceful-shutdown'({ http1, http2 }, lameDuckMs) {
    const options = { timeout: DEADLINE_MS, signals: '', forceExit: false }
    const stops = [http1, http2].map((server) => gracefulShutdown(server, options))
    onSigterm(lameDuckMs, () => Promise.all(stops.map((stop) => stop())))
  },

  'close-with-grace'(servers, lameDuckMs) {
    closeWithGrace({ delay: DEADLINE_MS, logger: null }, async () => {
      await pause(lameDuckMs)
      await closeAll(servers)
    })
  },
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

function onSigterm(lameDuckMs: number, shutDown: () => Promise<unknown>): void {
  process.once('SIGTERM', () => {
    setTimeout(() => process.exit(1), lameDuckMs + DEADLINE_MS)
    void pause(lameDuckMs)
      .then(shutDown)
      .then(() => process.exit(0))
  })
}

function closeAll({ http1, http2 }: Servers): Promise<unknown> {
  const close = (server: HttpsServer | Http2SecureServer) =>
    new Promise<void>((resolve) => server.close(() => resolve()))
  return Promise.all([close(http1), close(http2)])
}
