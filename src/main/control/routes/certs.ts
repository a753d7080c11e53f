import type { ReloadEngine } from '../../api/reload-engine.js'
import { certificateOf } from '../context.js'
import { entityTag, isKnown } from '../entity-tag.js'
import { problemAnswer } from '../problem-document.js'
import type { Answer, Route, RouteRequest } from '../route.js'
import { certificateView, datedText, endsView, generationView } from '../views.js'

/** `GET /certs`: the served certificates. Response and entity tag change with the generation and when material expires. */
export function certsRoute(engine: ReloadEngine): Route {
  return {
    method: 'GET',
    path: '/certs',
    query: {},
    takesBody: false,
    statuses: [200, 304],
    handle(request) {
      const { generation, ends, warnings } = engine.status()
      const expired = datedText(warnings)
      return unlessKnown(request, entityTag(generation.number, expired), () => {
        const view = { ...generationView(generation), ends: endsView(ends) }
        const lines = view.contexts.map(
          ({ name, fingerprint256, not_after }) => `${name}: ${fingerprint256} until ${not_after}`,
        )
        return { json: view, text: lines.join('; ') + expired }
      })
    },
  }
}

/** `GET /certs/:context`: the certificate served for this server name, or for `default`. */
export function certificateRoute(engine: ReloadEngine): Route {
  return {
    method: 'GET',
    path: '/certs/:context',
    query: {},
    takesBody: false,
    statuses: [200, 304, 404],
    handle(request) {
      const name = request.param('context') ?? ''
      const { generation } = engine.status()
      const facts = certificateOf(engine, name)
      if (!facts) return unknownContext(name)
      const { host, fingerprint256, notAfter } = facts
      return unlessKnown(request, entityTag(generation.number), () => ({
        json: { generation: generation.number, name, host, ...certificateView(facts) },
        text: `${name}: ${fingerprint256} until ${notAfter}`,
      }))
    },
  }
}

/** The response for a name that matches neither a host nor the default certificate. */
export function unknownContext(name: string): Answer {
  return problemAnswer('not-found', `no certificate has the name ${name}`)
}

/** 304 if the client has this entity tag, else the view. */
function unlessKnown(request: RouteRequest, tag: string, view: () => Pick<Answer, 'json' | 'text'>): Answer {
  const headers = { ETag: tag }
  if (isKnown(request.header('if-none-match'), tag)) return { status: 304, json: null, text: '', headers }
  return { status: 200, ...view(), headers }
}
