import type { OnDemandStatus } from '../api/status.js'
import { type ProblemView, problemView } from './views.js'

/** The state of hosts on demand in responses. */
export interface OnDemandView {
  /** Name of the source. */
  readonly source: string
  readonly hosts: number
  readonly pending: number
  readonly absent: number
  readonly failing_since: string | null
  readonly problem: ProblemView | null
  /** Number of queries by result. */
  readonly queries: Readonly<Record<string, number>>
  /** Number of requests without a query, by reason. */
  readonly skipped: Readonly<Record<string, number>>
  readonly refused: number
  readonly evicted: number
}

export function onDemandView({ failingSince, problem, ...rest }: OnDemandStatus): OnDemandView {
  return { ...rest, failing_since: failingSince, problem: problem && problemView(problem) }
}
