import type { ReloadEngine } from '../../api/reload-engine.js'
import type { ReloadResult } from '../../api/result.js'
import { certificateOf, problemsFor } from '../context.js'
import { assertMatch } from '../entity-tag.js'
import { resultAnswer } from '../result-answer.js'
import type { Answer, Route } from '../route.js'
import { waitForResult } from '../wait-for-result.js'
import { unknownContext } from './certs.js'

/**
 * `POST /reload_certs`: starts a pass and responds with its result. The next handshake gets the certificates of the
 * response.
 */
export function reloadCertsRoute(engine: ReloadEngine, timeoutMs: number): Route {
  return {
    method: 'POST',
    path: '/reload_certs',
    query: { context: 'name', dry_run: 'flag', force: 'flag' },
    takesBody: false,
    statuses: [200, 404, 412, 500, 503, 504],
    async handle({ flags, names, signal, header }) {
      assertMatch(header('if-match'), engine.status().generation.number)
      const options = { force: flags.has('force'), dryRun: flags.has('dry_run'), trigger: 'control' } as const
      const result = await waitForResult(engine.reload(options), timeoutMs, signal)
      const context = names.get('context')
      return context === undefined ? resultAnswer(result, 'reloaded') : answerFor(engine, context, result)
    },
  }
}

/** The response for one context: problems of other hosts are left out. */
function answerFor(engine: ReloadEngine, context: string, result: ReloadResult): Answer {
  const certificate = certificateOf(engine, context)
  const problems = problemsFor(result, context, certificate)
  if (!certificate && problems.length === 0) return unknownContext(context)
  const { outcome } = result
  const settled = outcome === 'rejected' || outcome === 'waiting-for-pair' ? 'unchanged' : outcome
  return resultAnswer({ ...result, problems, outcome: problems.length > 0 ? outcome : settled }, 'reloaded')
}
