import type { ReloadResult } from '../api/result.js'
import { entityTag } from './entity-tag.js'
import { problemAnswer } from './problem-document.js'
import type { Answer } from './route.js'
import {
  type ContextView,
  contextViews,
  datedText,
  diffView,
  memberResultView,
  type ProblemView,
  problemView,
  timingsView,
} from './views.js'

/** The response to a successful request. */
export interface ReloadView {
  /** The outcome of the pass, by the word that results, log and metrics use. */
  readonly outcome: ReloadResult['outcome']
  readonly status: 'reloaded' | 'rolled-back' | 'unchanged' | 'validated'
  readonly generation: number
  /** The certificates that are served now. */
  readonly contexts: readonly (ContextView & { readonly changed: boolean })[]
  readonly changed_files: readonly string[]
  readonly warnings: readonly ProblemView[]
  /** SNI hosts, by number; `null` without them. */
  readonly hosts: ReloadResult['hosts']
  /** The result of each member of a fleet. */
  readonly members: readonly object[]
  readonly diff: object | null
  /** What a rollback restored, and whether that included trust; `null` for a reload. */
  readonly restored: ReloadResult['restored']
  /** What VERIFY did: `done`, `skipped`, `not-applicable` or `not-reached`. */
  readonly verification: ReloadResult['verification']
  readonly duration_ms: number
  readonly timings: object
}

/**
 * The response for the result of a pass.
 *
 * @param done - the status word if a new generation is served.
 */
export function resultAnswer(result: ReloadResult, done: 'reloaded' | 'rolled-back'): Answer {
  const { outcome, generation, serving, diff, restored, timings } = result
  // An applied result may have failed for some hosts: the client must not see that as success.
  if (outcome === 'rejected' || outcome === 'waiting-for-pair' || result.problems.length > 0) {
    return failureAnswer(result)
  }
  const status = outcome === 'applied' ? done : outcome
  const view: ReloadView = {
    outcome,
    status,
    generation,
    contexts: contextViews(serving).map((context) => ({ ...context, changed: outcome === 'applied' })),
    changed_files: result.changed,
    warnings: result.warnings.map(problemView),
    hosts: result.hosts,
    members: result.members.map(memberResultView),
    diff: diff ? diffView(diff) : null,
    restored,
    verification: result.verification,
    duration_ms: timings.totalMs,
    timings: timingsView(timings),
  }
  return {
    status: 200,
    json: view,
    text: `${status}: generation ${generation}, ${serving.fingerprint256} until ${serving.notAfter}${trustText(restored)}${detachedText(result)}${datedText(result.warnings)}`,
    headers: { ETag: entityTag(generation) },
  }
}

/** The warning that changed files are not visible: it must not be omitted, because it may explain a mismatched pair. */
function detachedText({ warnings }: ReloadResult): string {
  const [first, ...more] = warnings.filter(({ code }) => code === 'FILE_DETACHED')
  if (!first) return ''
  return `; ${first.code}: ${first.message}${more.length > 0 ? ` (and ${more.length} more)` : ''}`
}

function trustText(restored: ReloadResult['restored']): string {
  if (!restored) return ''
  return restored.trust === 'kept'
    ? '; the trust in force was kept'
    : `; trust restored from generation ${restored.generation}`
}

/** 503 with `Retry-After` while files are being written; other failures require an operator. */
function failureAnswer(result: ReloadResult): Answer {
  const { outcome, problems, warnings, serving, generation, hosts } = result
  const [first] = problems
  const code = first?.code ?? 'WORKER_CRASHED'
  const unstable = outcome === 'waiting-for-pair' || code === 'FILES_CHANGING'
  const isServed = problems.length > 0 && problems.every((problem) => problem.code === 'MEMBER_EVICTED')
  const partly = outcome === 'applied' || outcome === 'validated' || isServed
  const still = partly
    ? `everything else is served as generation ${generation}`
    : `still serving ${serving.fingerprint256} until ${serving.notAfter}`
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  const detail = `${code}: ${first?.message ?? 'no reason was given'}${more}; ${still}${detachedText(result)}${datedText(warnings)}`
  const { fingerprint256, notAfter } = serving
  const errors = problems.map((problem) => ({
    ...problemView(problem),
    ...(problem.host === undefined ? { serving: { fingerprint256, not_after: notAfter } } : {}),
  }))
  const kind = partly ? 'reload-incomplete' : unstable ? 'material-unstable' : 'reload-failed'
  return problemAnswer(kind, detail, {
    code,
    generation,
    errors,
    warnings: warnings.map(problemView),
    ...(hosts ? { hosts } : {}),
    headers: { ETag: entityTag(generation), ...(unstable ? { 'Retry-After': '1' } : {}) },
  })
}
