import type { ReloadEngine } from '../../api/reload-engine.js'
import type { Route } from '../route.js'
import { generationView } from '../views.js'

/** `GET /history`: the current generation and those that a rollback can restore, newest first. */
export function historyRoute(engine: ReloadEngine): Route {
  return {
    method: 'GET',
    path: '/history',
    query: {},
    takesBody: false,
    statuses: [200],
    handle() {
      const generations = engine.history()
      return {
        status: 200,
        json: { generations: generations.map(generationView) },
        text: generations.map(({ number, since }) => `generation ${number} since ${since}`).join('; '),
      }
    },
  }
}
