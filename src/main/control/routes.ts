import type { ReloadEngine } from '../api/reload-engine.js'
import type { Drain } from '../drain/handle.js'
import type { Metrics } from '../observe/metrics.js'
import type { Route } from './route.js'
import { certificateRoute, certsRoute } from './routes/certs.js'
import { configRoute } from './routes/config.js'
import { drainRoutes } from './routes/drain.js'
import { healthRoute, readyRoute } from './routes/health.js'
import { historyRoute } from './routes/history.js'
import { metricsRoute } from './routes/metrics.js'
import { reloadCertsRoute } from './routes/reload-certs.js'
import { rollbackRoute } from './routes/rollback.js'
import { statusRoute } from './routes/status.js'
import { unlessClosing } from './unless-closing.js'

/** What the routes answer from. */
export interface RouteParts {
  readonly engine: ReloadEngine
  readonly drain: Drain | null
  readonly metrics: Metrics | null
  readonly ready: () => boolean
  readonly reloadTimeoutMs: number
}

/** Every endpoint of the control server. */
export function createRoutes({ engine, drain, metrics, ready, reloadTimeoutMs }: RouteParts): Route[] {
  return [
    unlessClosing(reloadCertsRoute(engine, reloadTimeoutMs), drain),
    certsRoute(engine),
    certificateRoute(engine),
    statusRoute(engine),
    healthRoute(),
    readyRoute(ready),
    unlessClosing(rollbackRoute(engine, reloadTimeoutMs), drain),
    historyRoute(engine),
    unlessClosing(configRoute(engine, reloadTimeoutMs), drain),
    ...(drain ? drainRoutes(drain) : []),
    ...(metrics ? [metricsRoute(metrics)] : []),
  ]
}
