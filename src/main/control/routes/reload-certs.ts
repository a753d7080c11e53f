import type { ReloadEngine } from '../../reload-engine.js'
import { assertMatch } from '../entity-tag.js'
import { resultAnswer } from '../result-answer.js'
import type { Route } from '../route.js'
import { waitForResult } from '../wait-for-result.js'

/**
 * `POST /reload_certs`: looks at the files now and answers once the result is known. What the answer calls served is
 * what the next handshake gets.
 */
export function reloadCertsRoute(engine: ReloadEngine, timeoutMs: number): Route {
  return {
    method: 'POST',
    path: '/reload_certs',
    query: { dry_run: 'flag', force: 'flag' },
    takesBody: false,
    statuses: [200, 412, 500, 503, 504],
    async handle({ flags, signal, header }) {
      assertMatch(header('if-match'), engine.status().generation.number)
      const options = { force: flags.has('force'), dryRun: flags.has('dry_run'), trigger: 'control' } as const
      return resultAnswer(await waitForResult(engine.reload(options), timeoutMs, signal), 'reloaded')
    },
  }
}
