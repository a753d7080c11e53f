import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'

import {
  createReloadEngine,
  type ReloadEngine,
  type ReloadEngineOptions,
  type ReloadEvents,
  type ReloadResult,
  type ServerExtra,
} from '../../src/main/index.js'
import { recordingLogger } from '../base/recording-logger.js'
import { type HandshakeOptions, handshake } from '../clients/tls-client.js'
import { createEcho, listen } from '../servers/echo-server.js'

/** An engine that is closed at the end of its test, without a log by default. */
export async function startEngine(t: TestContext, options: ReloadEngineOptions): Promise<ReloadEngine> {
  const engine = await createReloadEngine({ logger: recordingLogger(), ...options })
  t.after(() => engine.close())
  return engine
}

/** Starts an attached echo server. @returns its port */
export async function serveEcho(
  t: TestContext,
  engine: Pick<ReloadEngine, 'serverOptions' | 'attach'>,
  extra: ServerExtra = {},
): Promise<number> {
  const server = createEcho(engine.serverOptions(extra))
  engine.attach(server)
  return listen(t, server)
}

/** The fingerprint that a new connection gets. */
export async function servedBy(
  port: number,
  options: Partial<HandshakeOptions> = {},
): Promise<string | undefined> {
  return (await handshake({ ...options, port })).fingerprint256
}

/** Asserts that the pass swapped the certificate. */
export function assertApplied({ outcome, problems }: ReloadResult): void {
  assert.equal(outcome, 'applied', `problems: ${JSON.stringify(problems)}`)
}

/** The next event for which `wanted` returns true; the listener is added synchronously. */
export function nextEvent<E extends keyof ReloadEvents>(
  engine: ReloadEngine,
  event: E,
  wanted: (payload: ReloadEvents[E][0]) => boolean = () => true,
): Promise<ReloadEvents[E][0]> {
  const found = new Promise<ReloadEvents[E][0]>((resolve, reject) => {
    const unwanted: string[] = []
    const listener = (...[payload]: ReloadEvents[E]): void => {
      if (!wanted(payload)) {
        unwanted.push('outcome' in payload ? payload.outcome : event)
        return
      }
      clearTimeout(timer)
      engine.off(event, listener)
      resolve(payload)
    }
    const timer = setTimeout(() => {
      engine.off(event, listener)
      reject(
        new Error(
          `no such \`${event}\` within ${WAIT_MS} ms, but: ${unwanted.slice(-20).join(', ') || 'none'}`,
        ),
      )
    }, WAIT_MS)
    engine.on(event, listener)
  })
  // A test that fails before it waits has already reported the reason.
  found.catch(() => {})
  return found
}

/** Time limit in milliseconds, long enough for any machine: the events take milliseconds. */
const WAIT_MS = 20_000

/** Every event of a kind from now on, in order. */
export function recordEvents<E extends keyof ReloadEvents>(
  engine: ReloadEngine,
  event: E,
): ReloadEvents[E][0][] {
  const seen: ReloadEvents[E][0][] = []
  engine.on(event, (...[payload]: ReloadEvents[E]) => {
    seen.push(payload)
  })
  return seen
}
