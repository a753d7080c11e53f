import { problemAnswer } from '../problem-document.js'
import type { Answer, Route } from '../route.js'

const OK: Answer = { status: 200, json: { status: 'ok' }, text: 'ok' }

/** `GET /healthz`: always 200; it only shows that the process is alive. */
export function healthRoute(): Route {
  return {
    method: 'GET',
    path: '/healthz',
    query: {},
    takesBody: false,
    statuses: [200],
    handle: () => OK,
  }
}

/** `GET /readyz`: whether load balancers should send new traffic here. */
export function readyRoute(ready: () => boolean): Route {
  return {
    method: 'GET',
    path: '/readyz',
    query: {},
    takesBody: false,
    statuses: [200, 503],
    handle: () => (ready() ? OK : problemAnswer('not-ready', 'this server is not ready for new connections')),
  }
}
