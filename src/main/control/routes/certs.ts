import type { ReloadEngine } from '../../reload-engine.js'
import { certificateOf } from '../context.js'
import { entityTag, isKnown } from '../entity-tag.js'
import { problemAnswer } from '../problem-document.js'
import type { Answer, Route } from '../route.js'
import { certificateView, generationView } from '../views.js'

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

/** `GET /certs/:context`: the certificate that a client is shown that asks for this server name, or `default`. */
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
      const headers = { ETag: entityTag(generation.number) }
      if (isKnown(request.header('if-none-match'), generation.number)) {
        return { status: 304, json: null, text: '', headers }
      }
      const { fingerprint256, notAfter } = facts
      return {
        status: 200,
        json: { generation: generation.number, name, host: facts.host, ...certificateView(facts) },
        text: `${name}: ${fingerprint256} until ${notAfter}`,
        headers,
      }
    },
  }
}

/** A name that neither a host nor the default certificate has. */
export function unknownContext(name: string): Answer {
  return problemAnswer('not-found', `no certificate is made for ${name}`)
}
