import type { ReloadEngine } from '../../api/reload-engine.js'
import { ReloadError } from '../../base/errors.js'
import { assertMatch, entityTag } from '../entity-tag.js'
import { RequestProblem } from '../problem-document.js'
import { resultAnswer } from '../result-answer.js'
import type { Route } from '../route.js'
import { waitForResult } from '../wait-for-result.js'

/**
 * `POST /rollback`: serves an earlier generation again, by default the previous one. Trust is rolled back only with `trust=1`.
 */
export function rollbackRoute(engine: ReloadEngine, timeoutMs: number): Route {
  return {
    method: 'POST',
    path: '/rollback',
    query: { generation: 'number', trust: 'flag' },
    takesBody: false,
    statuses: [200, 409, 412, 422, 500, 504],
    async handle({ flags, numbers, signal, header }) {
      const served = engine.status().generation.number
      assertMatch(header('if-match'), served)
      try {
        const generation = numbers.get('generation')
        const trust = flags.has('trust')
        const pass = engine.rollback({ ...(generation === undefined ? {} : { generation }), trust })
        return resultAnswer(await waitForResult(pass, timeoutMs, signal), 'rolled-back')
      } catch (error) {
        if (!(error instanceof ReloadError)) throw error
        const extras = { generation: served, headers: { ETag: entityTag(served) } }
        if (error.code === 'GENERATION_UNKNOWN') {
          throw new RequestProblem('generation-unknown', error.message, extras)
        }
        if (error.code !== 'OPTIONS_INVALID') throw error
        const detail = `${error.message}; nothing was changed`
        throw new RequestProblem('rollback-refused', detail, { ...extras, code: error.code })
      }
    },
  }
}
