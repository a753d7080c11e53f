import type { ReloadEngine } from '../../reload-engine.js'
import { entityTag, isKnown } from '../entity-tag.js'
import type { Route } from '../route.js'
import { generationView } from '../views.js'

/** `GET /certs`: what is served. It changes with the generation and never otherwise, so the entity tag is exact. */
export function certsRoute(engine: ReloadEngine): Route {
  return {
    method: 'GET',
    path: '/certs',
    query: {},
    takesBody: false,
    statuses: [200, 304],
    handle(request) {
      const { generation } = engine.status()
      const headers = { ETag: entityTag(generation.number) }
      if (isKnown(request.header('if-none-match'), generation.number)) {
        return { status: 304, json: null, text: '', headers }
      }
      const view = generationView(generation)
      return {
        status: 200,
        json: view,
        text: view.contexts
          .map(({ name, fingerprint256, not_after }) => `${name}: ${fingerprint256} until ${not_after}`)
          .join('; '),
        headers,
      }
    },
  }
}
