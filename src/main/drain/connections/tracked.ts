import { DrainError } from '../errors.js'
import { callHook } from '../hook-calls.js'
import type { Connection, Departure, DrainNotice } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { type ConnectionFacts, factsOf } from './facts.js'

/** A session of a protocol that the drain does not implement: gRPC, MQTT, WebTransport. */
export interface TrackedSession {
  /** Asks the peer to disconnect (and to use `uri`, if set), and lets running work finish. Called at most once. */
  goaway(uri: string | undefined, notice: DrainNotice): unknown
  /** Settles when the session has ended; a rejection counts as an end too. */
  readonly closed: Promise<unknown>
  /** Ends it now. */
  destroy(): unknown
}

/** @throws DrainError `OPTIONS_INVALID` for an object that is not a session; during the drain it would be too late. */
export function assertSession(session: TrackedSession): void {
  const given = session as Partial<TrackedSession> | null | undefined
  const wrong = [
    ...(['goaway', 'destroy'] as const)
      .filter((name) => typeof given?.[name] !== 'function')
      .map((name) => `\`${name}\` to be a function`),
    ...(typeof given?.closed?.then === 'function' ? [] : ['`closed` to be a promise']),
  ]
  if (wrong.length === 0) return
  throw new DrainError('OPTIONS_INVALID', `track: expected ${wrong.join(', and ')}`)
}

export class TrackedConnection implements Connection {
  readonly facts: ConnectionFacts
  readonly #session: TrackedSession
  readonly #context: DrainContext
  #departure: Departure = 'closed'
  #left = false

  constructor(session: TrackedSession, context: DrainContext) {
    this.#session = session
    this.#context = context
    this.facts = factsOf({ protocol: 'tracked', ...context.factParts })
    const ended = () => context.connections.drop(this, this.#departure)
    session.closed.then(ended, ended)
  }

  windDown(): void {}

  undoWindDown(): void {}

  leave(notice: DrainNotice): void {
    if (this.#left) return
    this.#left = true
    callHook('goaway', this.#context.logger, () => this.#session.goaway(notice.uri, notice))
  }

  cut(): void {
    this.#departure = 'forced'
    callHook('destroy', this.#context.logger, () => this.#session.destroy())
  }

  release(): void {}
}
