import type { SourceStatus } from '../api/status.js'
import { type ProblemView, problemView } from './views.js'

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
  /** Since when the source cannot announce changes, and why. */
  readonly push_outage: { readonly since: string; readonly problem: ProblemView } | null
}

export function sourceView(status: SourceStatus): SourceView {
  const { pushOutage: outage } = status
  return {
    name: status.name,
    version: status.version,
    served_since: status.servedSince,
    last_success: status.lastSuccess,
    failing_since: status.failingSince,
    failures: status.failures,
    stale: status.stale,
    push_outage: outage && { since: outage.since, problem: problemView(outage.problem) },
  }
}
