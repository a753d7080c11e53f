import type { ReloadEngine } from '../../engine.js'
import { packageVersion } from '../../package-version.js'
import { servingOf } from '../../result.js'
import type { Route } from '../route.js'
import { attemptView, contextViews, problemView, trustView } from '../views.js'

/** `GET /status`: how the engine is, and how the last looks at the files ended. */
export function statusRoute(engine: ReloadEngine): Route {
  return {
    method: 'GET',
    path: '/status',
    flags: [],
    takesBody: false,
    statuses: [200],
    handle() {
      const status = engine.status()
      const { generation, lastAttempt, lastFailure } = status
      const [first] = generation.certificates
      return {
        status: 200,
        json: {
          state: status.state,
          generation: generation.number,
          since: generation.since,
          trigger: generation.trigger,
          contexts: contextViews(servingOf(generation)),
          trust: trustView(generation),
          warnings: generation.warnings.map(problemView),
          last_attempt: attemptView(lastAttempt),
          last_success: attemptView(status.lastSuccess),
          last_failure: lastFailure ? attemptView(lastFailure) : null,
          failing_since: status.failingSince,
          consecutive_failures: status.consecutiveFailures,
          passes: status.passes,
          auto_reload_interval: status.autoReloadInterval,
          next_check_in_ms: status.nextCheckInMs === null ? null : Math.round(status.nextCheckInMs),
          servers: status.servers,
          version: packageVersion(),
          node: process.versions.node,
          openssl: process.versions.openssl,
          pid: process.pid,
          uptime_seconds: Math.round(process.uptime()),
        },
        text:
          `${status.state}: generation ${generation.number}, ${first?.fingerprint256} until ${first?.notAfter}; ` +
          `last attempt ${lastAttempt.outcome} at ${lastAttempt.at}`,
      }
    },
  }
}
