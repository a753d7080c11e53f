import type { Metrics } from '../../observe/metrics.js'
import type { Route } from '../route.js'

/** `GET /metrics`: the Prometheus text format, independent of the `Accept` header. */
export function metricsRoute(metrics: Metrics): Route {
  return {
    method: 'GET',
    path: '/metrics',
    query: {},
    takesBody: false,
    statuses: [200],
    async handle() {
      return { status: 200, json: null, text: '', type: metrics.contentType, verbatim: await metrics.text() }
    },
  }
}
