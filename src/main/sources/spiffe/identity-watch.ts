import { timingSafeEqual } from 'node:crypto'

import { SourceError } from '../../api/source.js'
import type { Clock } from '../../base/clock.js'
import type { AgentCall, CallAgent } from './agent-call.js'
import { identityIn, type SpiffeIdentity } from './identity.js'
import type { ResolvedSpiffeOptions } from './options.js'
import { decodeSvidResponse, type SvidResponse } from './wire.js'

/** The identity of the last message, with the version that identifies it in this process. */
export interface WatchedIdentity {
  readonly version: string
  readonly identity: SpiffeIdentity
}

/** The state of the stream: an identity, why there is none now, or `null` before the first answer of an attempt. */
export type WatchState = WatchedIdentity | SourceError | null

/** Parts of an {@link IdentityWatch}. */
export interface WatchParts {
  readonly options: Pick<ResolvedSpiffeOptions, 'hint' | 'id'>
  readonly clock: Pick<Clock, 'after'>
  /** Between 0 and 1, for the jitter. */
  readonly random: () => number
  readonly connect: () => Promise<CallAgent>
}

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000
/** The engine may read delivered bytes for this long. */
const KEY_KEPT_MS = 60_000

/**
 * Keeps a stream to the agent and the identity of its last message. The stream ends whenever the agent restarts; then it is
 * opened again after 0.1 to 5 seconds, twice as long after each failure.
 */
export class IdentityWatch {
  readonly #parts: WatchParts
  #state: WatchState = null
  /** The last identity, also while the stream is down. */
  #last: WatchedIdentity | null = null
  #messages = 0
  #call: AgentCall | null = null
  #connecting = false
  #stopRetry: (() => void) | null = null
  #failures = 0
  #closed = false
  readonly #listeners = new Set<() => void>()

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  get state(): WatchState {
    return this.#state
  }

  /** Calls back at each change of the state; returns a function that stops it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Opens the stream, unless it is open or about to be opened again. */
  start(): void {
    if (this.#closed || this.#call || this.#connecting || this.#stopRetry) return
    if (this.#failures > 0) this.#state = null
    this.#connecting = true
    void this.#open()
  }

  close(): void {
    this.#closed = true
    this.#stopRetry?.()
    this.#call?.cancel()
    this.#last?.identity.key.fill(0)
    this.#set(new SourceError('SOURCE_UNREACHABLE', 'the source is closed'))
  }

  async #open(): Promise<void> {
    try {
      const call = await this.#parts.connect()
      this.#connecting = false
      if (this.#closed) return
      this.#call = call({
        message: (bytes) => this.#receive(bytes),
        ended: (error, retry) => this.#end(error, retry),
      })
    } catch (error) {
      this.#connecting = false
      if (!(error instanceof SourceError)) throw error
      this.#end(error, false)
    }
  }

  #end(error: SourceError, retry: boolean): void {
    this.#call = null
    if (this.#closed) return
    this.#failures++
    if (retry) this.#retryLater()
    // The first attempt after the end of a stream usually succeeds: an agent restarts within moments.
    const isFirst =
      this.#failures === 1 && retry && this.#state !== null && !(this.#state instanceof SourceError)
    if (isFirst && error.code === 'SOURCE_UNREACHABLE') this.#state = null
    else this.#set(error)
  }

  #retryLater(): void {
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (this.#failures - 1), LAST_RETRY_MS)
    // Many processes lose the same agent at the same moment.
    const jittered = delayMs * (0.5 + this.#parts.random() / 2)
    this.#stopRetry = this.#parts.clock.after(jittered, () => {
      this.#stopRetry = null
      this.#connecting = true
      void this.#open()
    })
  }

  #receive(bytes: Uint8Array): void {
    if (this.#closed) {
      bytes.fill(0)
      return
    }
    this.#failures = 0
    const next = read(bytes, this.#parts.options)
    if (next instanceof SourceError) {
      this.#set(next)
      return
    }
    const last = this.#last
    if (last && isSame(last.identity, next)) {
      next.key.fill(0)
      if (this.#state !== last) this.#set(last)
      return
    }
    if (last) this.#parts.clock.after(KEY_KEPT_MS, () => last.identity.key.fill(0))
    this.#messages++
    this.#last = { version: `${this.#messages}.${next.digest}`, identity: next }
    this.#set(this.#last)
  }

  #set(state: WatchState): void {
    this.#state = state
    for (const listener of [...this.#listeners]) listener()
  }
}

/** Overwrites every key that is not part of the result. */
function read(bytes: Uint8Array, options: WatchParts['options']): SpiffeIdentity | SourceError {
  let response: SvidResponse
  try {
    response = decodeSvidResponse(bytes)
  } catch (error) {
    bytes.fill(0)
    if (!(error instanceof RangeError)) throw error
    return new SourceError('SOURCE_INVALID', `the agent sent a message that cannot be read: ${error.message}`)
  }
  try {
    const identity = identityIn(response, options)
    for (const { key } of response.svids) if (key !== identity.key) key.fill(0)
    return identity
  } catch (error) {
    bytes.fill(0)
    if (!(error instanceof SourceError)) throw error
    return error
  }
}

/** No digest of a key is made: the keys are compared themselves. */
function isSame(one: SpiffeIdentity, other: SpiffeIdentity): boolean {
  return (
    one.digest === other.digest && one.key.length === other.key.length && timingSafeEqual(one.key, other.key)
  )
}
