import type { ReloadEngine } from '../../engine.js'
import { servingOf } from '../../result.js'
import { entityTag, isKnown } from '../entity-tag.js'
import type { Route } from '../route.js'
import { contextViews, problemView, trustView } from '../views.js'

/** `GET /certs`: what is served. It changes with the generation and never otherwise, so the entity tag is exact. */
export function certsRoute(engine: ReloadEngine): Route {
  return {
    method: 'GET',
    path: '/certs',
    flags: [],
    takesBody: false,
    statuses: [200, 304],
    handle(request) {
      const { generation } = engine.status()
      const headers = { ETag: entityTag(generation.number) }
      if (isKnown(request.header('if-none-match'), generation.number)) {
        return { status: 304, json: null, text: '', headers }
      }
      const contexts = contextViews(servingOf(generation))
      return {
        status: 200,
        json: {
          generation: generation.number,
          since: generation.since,
          trigger: generation.trigger,
          contexts,
          trust: trustView(generation),
          warnings: generation.warnings.map(problemView),
        },
        text: contexts
          .map(({ name, fingerprint256, not_after }) => `${name}: ${fingerprint256} until ${not_after}`)
          .join('; '),
        headers,
      }
    },
  }
}
