import type { Drain } from '../drain/handle.js'
import { RequestProblem } from './problem-document.js'
import type { Route } from './route.js'

/** Refuses a route that changes the served certificates once the listeners are closed. */
export function refuseWhileClosing(route: Route, drain: Drain | null): Route {
  if (!drain) return route
  return {
    ...route,
    statuses: [...new Set([...route.statuses, 503])].sort(),
    handle(request) {
      if (drain.state !== 'running' && drain.state !== 'lame-duck') {
        throw new RequestProblem('draining', 'the listeners are closed; nothing was done')
      }
      return route.handle(request)
    },
  }
}
