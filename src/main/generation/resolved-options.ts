import type { HostSources } from '../../workers/protocol/hosts.js'
import type { ContextOptions, MaterialSources, Policy } from '../../workers/protocol/material.js'
import type { WorkerOptions } from '../api/options.js'
import type { MaterialSource } from '../api/source.js'
import type { Logger } from '../base/logger.js'
import type { PeerPolicy } from './trust-identity.js'

/** Complete, validated, frozen options. */
export interface ResolvedOptions {
  readonly sources: MaterialSources
  readonly context: ContextOptions
  /** The peer policy of servers that set none of their own. */
  readonly peers: PeerPolicy
  readonly autoReloadInterval: number
  readonly policy: Policy
  /** `null` without the option: then servers have no SNI callback. */
  readonly hosts: HostSources | null
  readonly unknownHosts: 'default' | 'refuse'
  readonly hostCacheSize: number
  readonly verifyServed: boolean
  readonly historySize: number
  readonly tickets: { readonly rotateHours: number | null }
  readonly expiryWarningDays: readonly number[]
  readonly worker: Required<WorkerOptions>
  readonly logger: Logger | null
  /** The supplier of the material instead of files; `null` without one, and on members of a fleet. */
  readonly source: MaterialSource | null
  /** Limits of one call of the source, and of the start with it, in seconds. */
  readonly sourceTimeoutSeconds: number
  readonly startTimeoutSeconds: number
  /** `null`: nothing is kept for a start without the source. */
  readonly lastGood: {
    readonly dir: string
    readonly keyFile: string | null
    readonly afterSeconds: number
  } | null
}
