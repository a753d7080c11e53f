import type { Problem } from '../../workers/base/problem.js'
import { SourceError } from '../api/source.js'

/** Why a source did not answer about a name. */
export interface QueryProblem extends Problem {
  readonly code: SourceError['code']
  readonly retryAfterMs: number
}

/** The message of an error that is not a `SourceError` is not shown, because it may contain material. */
export function problemOfQuery(error: unknown, source: string, name: string): QueryProblem {
  if (error instanceof SourceError) {
    const { code, message, retryAfterMs = 0 } = error
    return { code, message, host: name, retryAfterMs }
  }
  return {
    code: 'SOURCE_UNREACHABLE',
    message: `the source ${source} failed with an error that is not a SourceError; its message is not shown, because it may contain material`,
    host: name,
    retryAfterMs: 0,
  }
}

/** Whether the source answered, so that the problem is one of this name only. */
export function concernsName({ code }: Pick<QueryProblem, 'code'>): boolean {
  return code === 'SOURCE_INVALID' || code === 'SOURCE_WITHDRAWN'
}
