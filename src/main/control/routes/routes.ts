import type { ReloadEngine } from '../../api/reload-engine.js'
import type { Drain } from '../../drain/handle.js'
import type { Metrics } from '../../observe/metrics.js'
import { refuseWhileClosing } from '../refuse-while-closing.js'
import type { Route } from '../route.js'
import { certificateRoute, certsRoute } from './certs.js'
import { configRoute } from './config.js'
import { drainRoutes } from './drain.js'
import { healthRoute, readyRoute } from './health.js'
import { historyRoute } from './history.js'
import { metricsRoute } from './metrics.js'
import { reloadCertsRoute } from './reload-certs.js'
import { rollbackRoute } from './rollback.js'
import { statusRoute } from './status.js'

/** The sources of the responses. */
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
    refuseWhileClosing(reloadCertsRoute(engine, reloadTimeoutMs), drain),
    certsRoute(engine),
    certificateRoute(engine),
    statusRoute(engine),
    healthRoute(),
    readyRoute(ready),
    refuseWhileClosing(rollbackRoute(engine, reloadTimeoutMs), drain),
    historyRoute(engine),
    refuseWhileClosing(configRoute(engine, reloadTimeoutMs), drain),
    ...(drain ? drainRoutes(drain) : []),
    ...(metrics ? [metricsRoute(metrics)] : []),
  ]
}
