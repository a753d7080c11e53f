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

/** The answer to a request that was carried out. */
export interface ReloadView {
  readonly status: 'reloaded' | 'rolled-back' | 'unchanged' | 'validated'
  readonly generation: number
  /** What is served now. */
  readonly contexts: readonly (ContextView & { readonly changed: boolean })[]
  readonly changed_files: readonly string[]
  readonly warnings: readonly ProblemView[]
  /** SNI hosts, by number; `null` without them. */
  readonly hosts: ReloadResult['hosts']
  /** What each process of a fleet came to. */
  readonly members: readonly object[]
  readonly diff: object | null
  /** What a rollback brought back, and whether trust was part of it; `null` for a reload. */
  readonly restored: ReloadResult['restored']
  readonly duration_ms: number
  readonly timings: object
}

/**
 * What a pass came to, as an answer.
 *
 * @param done - what it is called when a new generation serves.
 */
export function resultAnswer(result: ReloadResult, done: 'reloaded' | 'rolled-back'): Answer {
  const { outcome, generation, serving, diff, restored, timings } = result
  // A result that was applied may have left some hosts behind: the client must not take that for success.
  if (outcome === 'rejected' || outcome === 'waiting-for-pair' || result.problems.length > 0) {
    return failureAnswer(result)
  }
  const status = outcome === 'applied' ? done : outcome
  const view: ReloadView = {
    status,
    generation,
    contexts: contextViews(serving).map((context) => ({ ...context, changed: outcome === 'applied' })),
    changed_files: result.changed,
    warnings: result.warnings.map(problemView),
    hosts: result.hosts,
    members: result.members.map(memberResultView),
    diff: diff ? diffView(diff) : null,
    restored,
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

/** The warning that a line must not leave out: files that have changed are not visible. It may be why a pair does not match. */
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

/** Files that are still being written are worth another try; all else needs a hand. */
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
