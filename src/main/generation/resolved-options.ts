import type { HostSources } from '../../workers/protocol/hosts.js'
import type { ContextOptions, MaterialSources, Policy } from '../../workers/protocol/material.js'
import type { WorkerOptions } from '../api/options.js'
import type { Logger } from '../base/logger.js'
import type { PeerPolicy } from './trust-identity.js'

/** Options as the engine uses them: complete, checked, frozen. */
export interface ResolvedOptions {
  readonly sources: MaterialSources
  readonly context: ContextOptions
  /** What servers ask of their peers unless they were made otherwise. */
  readonly peers: PeerPolicy
  readonly autoReloadInterval: number
  readonly policy: Policy
  /** `null` without the option: then servers are made without an SNI callback. */
  readonly hosts: HostSources | null
  readonly unknownHosts: 'default' | 'refuse'
  readonly hostCacheSize: number
  readonly verifyServed: boolean
  readonly historySize: number
  readonly tickets: { readonly rotateHours: number | null }
  readonly expiryWarningDays: readonly number[]
  readonly worker: Required<WorkerOptions>
  readonly logger: Logger | null
}
