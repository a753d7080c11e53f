// A server process that handles signals: `fork(drained-app.js, [JSON of DrainedAppOptions])`. It answers `GET /` at once and a
// `POST` when its body is complete, and reports events to its parent.

import https from 'node:https'
import type { AddressInfo } from 'node:net'

import { createDrain, handleSignals } from '../../src/main/drain/index.js'
import { identity } from './drains.js'

export interface DrainedAppOptions {
  readonly lameDuckMs?: number
  readonly deadlineMs?: number
  readonly forceAfterMs?: number
  /** Behaviour of its clean-up at the end of the drain. */
  readonly cleanUp?: 'hang' | 'fail'
  /** Behaviour of a reload. */
  readonly reload?: 'fail'
}

export type DrainedAppMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'request' | 'drained' | 'cleaning-up' }
  | { readonly kind: 'state'; readonly state: string }
  | { readonly kind: 'reload'; readonly options: unknown }
  | { readonly kind: 'log'; readonly message: string }
  | { readonly kind: 'exiting'; readonly sinceSignalMs: number }

const {
  cleanUp,
  reload,
  forceAfterMs = 0,
  ...times
} = JSON.parse(process.argv[2] ?? '{}') as DrainedAppOptions
const report = (message: DrainedAppMessage) => process.send?.(message)
const log = (_fields: object, message: string) => void report({ kind: 'log', message })
const logger = { debug: log, info: log, warn: log, error: log }

const server = https.createServer(identity, (request, response) => {
  report({ kind: 'request' })
  request.on('error', () => {}).resume()
  request.on('end', () => response.end('answered'))
})
const drain = createDrain({ servers: [server], logger, ...times })
drain.on('state', (state) => report({ kind: 'state', state }))

let lastSignalAt = 0
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    lastSignalAt = performance.now()
  })
}
const engine = {
  async reload(options: unknown): Promise<void> {
    report({ kind: 'reload', options })
    if (reload === 'fail') throw new Error('cannot be read')
  },
}
handleSignals(drain, engine, {
  logger,
  forceAfterMs,
  async onDrained() {
    report({ kind: 'cleaning-up' })
    if (cleanUp === 'hang') await new Promise((resolve) => setTimeout(resolve, 60_000))
    if (cleanUp === 'fail') throw new Error('still in use')
  },
})
process.on('exit', () => report({ kind: 'exiting', sinceSignalMs: performance.now() - lastSignalAt }))
process.on('message', (message) => {
  if (message === 'start') drain.start()
  else process.kill(process.pid, message as NodeJS.Signals)
})
process.channel?.unref()
server.listen(0, '127.0.0.1', () => {
  report({ kind: 'listening', port: (server.address() as AddressInfo).port })
})
