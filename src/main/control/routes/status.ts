import type { EngineStatus, ReloadEngine } from '../../api/reload-engine.js'
import { servingOf } from '../../api/result.js'
import { PACKAGE_VERSION } from '../../base/package-version.js'
import { type OnDemandView, onDemandView } from '../on-demand-view.js'
import type { Route } from '../route.js'
import { type SourceView, sourceView } from '../source-view.js'
import {
  type AttemptView,
  attemptView,
  datedText,
  type EndsView,
  endsView,
  type GenerationView,
  generationView,
  type MemberView,
  memberView,
} from '../views.js'

export interface StatusView extends GenerationView {
  readonly state: string
  readonly ends: EndsView
  readonly last_attempt: AttemptView
  readonly last_success: AttemptView
  readonly last_failure: AttemptView | null
  readonly failing_since: string | null
  /** Time since which the served material differs from the files, after a failure or a rollback. */
  readonly differs_since: string | null
  readonly consecutive_failures: number
  readonly passes: Readonly<Record<string, number>>
  /** `null` with files. */
  readonly source: SourceView | null
  /** `null` without hosts on demand. */
  readonly on_demand: OnDemandView | null
  readonly auto_reload_interval: number
  readonly next_check_in_ms: number | null
  readonly servers: number
  /** Live connections by the generation under which they were accepted. */
  readonly connections: Readonly<Record<string, number>>
  /** Verified clients that were refused since the start, by code. */
  readonly refused_peers: Readonly<Record<string, number>>
  /** Processes and threads of the fleet. */
  readonly members: readonly MemberView[]
  readonly version: string
  readonly node: string
  readonly openssl: string
  readonly pid: number
  readonly uptime_seconds: number
}

/** `GET /status`: state of the engine and results of its last passes. */
export function statusRoute(engine: ReloadEngine): Route {
  return {
    method: 'GET',
    path: '/status',
    query: {},
    takesBody: false,
    statuses: [200],
    handle() {
      const status = engine.status()
      const { state, generation, lastAttempt } = status
      const { fingerprint256, notAfter } = servingOf(generation)
      return {
        status: 200,
        json: statusView(status),
        text:
          `${state}: generation ${generation.number}, ${fingerprint256} until ${notAfter}; ` +
          `last attempt ${lastAttempt.outcome} at ${lastAttempt.at}${datedText(status.warnings)}`,
      }
    },
  }
}

function statusView(status: EngineStatus): StatusView {
  const { generation, lastFailure, nextCheckInMs } = status
  return {
    state: status.state,
    ...generationView(generation),
    ends: endsView(status.ends),
    last_attempt: attemptView(status.lastAttempt),
    last_success: attemptView(status.lastSuccess),
    last_failure: lastFailure ? attemptView(lastFailure) : null,
    failing_since: status.failingSince,
    differs_since: status.differsSince,
    consecutive_failures: status.consecutiveFailures,
    passes: status.passes,
    source: status.source && sourceView(status.source),
    on_demand: status.onDemand && onDemandView(status.onDemand),
    auto_reload_interval: status.autoReloadInterval,
    next_check_in_ms: nextCheckInMs === null ? null : Math.round(nextCheckInMs),
    servers: status.servers,
    connections: status.connections,
    refused_peers: status.refusedPeers,
    members: status.members.map(memberView),
    version: PACKAGE_VERSION,
    node: process.versions.node,
    openssl: process.versions.openssl,
    pid: process.pid,
    uptime_seconds: Math.round(process.uptime()),
  }
}
