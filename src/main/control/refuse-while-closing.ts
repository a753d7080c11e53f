import type { Drain } from '../drain/handle.js'
import { RequestProblem } from './problem-document.js'
import type { Route } from './route.js'

/** A route that changes what is served, refused once no client can connect to see it. */
export function refuseWhileClosing(route: Route, drain: Drain | null): Route {
  if (!drain) return route
  return {
    ...route,
    statuses: [...new Set([...route.statuses, 503])].sort(),
    handle(request) {
      if (drain.state !== 'running' && drain.state !== 'lame-duck') {
        throw new RequestProblem('draining', 'no connection will be accepted any more; nothing was done')
      }
      return route.handle(request)
    },
  }
}
