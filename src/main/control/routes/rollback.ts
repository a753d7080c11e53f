import { ReloadError } from '../../errors.js'
import type { ReloadEngine } from '../../reload-engine.js'
import { assertMatch, entityTag } from '../entity-tag.js'
import { RequestProblem } from '../problem-document.js'
import { resultAnswer } from '../result-answer.js'
import type { Route } from '../route.js'
import { waitForResult } from '../wait-for-result.js'

/** `POST /rollback`: serves an earlier generation again, the one before unless told otherwise. */
export function rollbackRoute(engine: ReloadEngine, timeoutMs: number): Route {
  return {
    method: 'POST',
    path: '/rollback',
    query: { generation: 'number' },
    takesBody: false,
    statuses: [200, 409, 412, 500, 504],
    async handle({ numbers, signal, header }) {
      const served = engine.status().generation.number
      assertMatch(header('if-match'), served)
      try {
        const pass = engine.rollback(numbers.get('generation'))
        return resultAnswer(await waitForResult(pass, timeoutMs, signal), 'rolled-back')
      } catch (error) {
        if (!(error instanceof ReloadError) || error.code !== 'GENERATION_UNKNOWN') throw error
        const headers = { ETag: entityTag(served) }
        throw new RequestProblem('generation-unknown', error.message, { generation: served, headers })
      }
    },
  }
}
