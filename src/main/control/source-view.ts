import type { SourceStatus } from '../api/status.js'

/** The state of a source in responses. */
export interface SourceView {
  readonly name: string
  /** Version of the delivery in service; `null` after a rollback. */
  readonly version: string | null
  readonly served_since: string | null
  readonly last_success: string | null
  readonly failing_since: string | null
  /** Number of failures by code. */
  readonly failures: Readonly<Record<string, number>>
  /** Whether the served material was kept from an earlier run. */
  readonly stale: boolean
}

export function sourceView(status: SourceStatus): SourceView {
  return {
    name: status.name,
    version: status.version,
    served_since: status.servedSince,
    last_success: status.lastSuccess,
    failing_since: status.failingSince,
    failures: status.failures,
    stale: status.stale,
  }
}
