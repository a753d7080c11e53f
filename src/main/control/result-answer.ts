import type { ReloadResult } from '../result.js'
import { entityTag } from './entity-tag.js'
import { problemAnswer } from './problem-document.js'
import type { Answer } from './route.js'
import {
  type ContextView,
  contextViews,
  diffView,
  type ProblemView,
  problemView,
  rounded,
  timingsView,
} from './views.js'

/** The answer to a request that was carried out. */
export interface ReloadView {
  readonly status: 'reloaded' | 'rolled-back' | 'unchanged' | 'validated'
  readonly generation: number
  /** What is served now. */
  readonly contexts: readonly (ContextView & { readonly changed: boolean })[]
  readonly changed_files: readonly string[]
  readonly warnings: readonly ProblemView[]
  readonly diff: object | null
  readonly duration_ms: number
  readonly timings: object
}

/**
 * What a pass came to, as an answer.
 *
 * @param done - what it is called when a new generation serves.
 */
export function resultAnswer(result: ReloadResult, done: 'reloaded' | 'rolled-back'): Answer {
  const { outcome, generation, serving, diff, timings } = result
  if (outcome === 'rejected' || outcome === 'waiting-for-pair') return failureAnswer(result)
  const status = outcome === 'applied' ? done : outcome
  const view: ReloadView = {
    status,
    generation,
    contexts: contextViews(serving).map((context) => ({ ...context, changed: outcome === 'applied' })),
    changed_files: result.changed,
    warnings: result.warnings.map(problemView),
    diff: diff ? diffView(diff) : null,
    duration_ms: rounded(timings.totalMs),
    timings: timingsView(timings),
  }
  return {
    status: 200,
    json: view,
    text: `${status}: generation ${generation}, ${serving.fingerprint256} until ${serving.notAfter}`,
    headers: { ETag: entityTag(generation) },
  }
}

/** Files that are still being written are worth another try; all else needs a hand. */
function failureAnswer({ outcome, problems, serving, generation }: ReloadResult): Answer {
  const [first] = problems
  const code = first?.code ?? 'WORKER_CRASHED'
  const unstable = outcome === 'waiting-for-pair' || code === 'FILES_CHANGING'
  const still = `still serving ${serving.fingerprint256} until ${serving.notAfter}`
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  const detail = `${code}: ${first?.message ?? 'no reason was given'}${more}; ${still}`
  const { fingerprint256, notAfter } = serving
  const errors = problems.map((problem) => ({
    ...problemView(problem),
    serving: { fingerprint256, not_after: notAfter },
  }))
  return problemAnswer(unstable ? 'material-unstable' : 'reload-failed', detail, {
    code,
    generation,
    errors,
    headers: { ETag: entityTag(generation), ...(unstable ? { 'Retry-After': '1' } : {}) },
  })
}
