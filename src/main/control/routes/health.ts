import { problemAnswer } from '../problem-document.js'
import type { Answer, Route } from '../route.js'

const OK: Answer = { status: 200, json: { status: 'ok' }, text: 'ok' }

/** `GET /healthz`: that it answers is the answer. */
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

/** `GET /readyz`: whether new traffic should come here. */
export function readyRoute(ready: () => boolean): Route {
  return {
    method: 'GET',
    path: '/readyz',
    query: {},
    takesBody: false,
    statuses: [200, 503],
    handle: () => (ready() ? OK : problemAnswer('not-ready', 'no new connections, please')),
  }
}
