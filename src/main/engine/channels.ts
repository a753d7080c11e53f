import { channel } from 'node:diagnostics_channel'

import type { ReloadEngine } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import type { Recovery } from '../api/status.js'

/** Message of `certswap:reload:settled`, `certswap:reload:applied` and `certswap:reload:rejected`. */
export interface ReloadMessage {
  readonly engine: ReloadEngine
  readonly result: ReloadResult
}

/** Message of `certswap:reload:recovered`. */
export interface RecoveryMessage {
  readonly engine: ReloadEngine
  readonly result: ReloadResult
  readonly recovery: Recovery
}

const settled = channel('certswap:reload:settled')
const applied = channel('certswap:reload:applied')
const rejected = channel('certswap:reload:rejected')
const recovered = channel('certswap:reload:recovered')

/** Publishes the end of a pass to the diagnostics channels. Costs nothing without a subscriber. */
export function publishPass(engine: ReloadEngine, result: ReloadResult, recovery: Recovery | null): void {
  const message: ReloadMessage = { engine, result }
  if (settled.hasSubscribers) settled.publish(message)
  if (result.outcome === 'applied' && applied.hasSubscribers) applied.publish(message)
  if (result.outcome === 'rejected' && rejected.hasSubscribers) rejected.publish(message)
  if (!recovery || !recovered.hasSubscribers) return
  recovered.publish({ ...message, recovery } satisfies RecoveryMessage)
}
