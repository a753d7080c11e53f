import type { ReloadEngine } from '../../engine.js'
import { ReloadError } from '../../errors.js'
import type { Outcome, ReloadResult } from '../../result.js'
import { assertMatch, entityTag } from '../entity-tag.js'
import { problemAnswer, RequestProblem } from '../problem-document.js'
import type { Answer, Route, RouteRequest } from '../route.js'
import {
  type ContextView,
  contextViews,
  diffView,
  type ProblemView,
  problemView,
  rounded,
  timingsView,
} from '../views.js'

/** The answer to a reload that was carried out. */
export interface ReloadView {
  readonly status: 'reloaded' | 'unchanged' | 'validated'
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
 * `POST /reload_certs`: looks at the files now and answers once the result is known. What the answer calls served is
 * what the next handshake gets.
 */
export function reloadCertsRoute(engine: ReloadEngine, timeoutMs: number): Route {
  return {
    method: 'POST',
    path: '/reload_certs',
    flags: ['dry_run', 'force'],
    takesBody: false,
    statuses: [200, 412, 500, 503, 504],
    async handle(request) {
      assertMatch(request.header('if-match'), engine.status().generation.number)
      return resultAnswer(await reload(engine, request, timeoutMs))
    },
  }
}

async function reload(
  engine: ReloadEngine,
  { flags, signal }: RouteRequest,
  timeoutMs: number,
): Promise<ReloadResult> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    return await engine.reload({
      force: flags.has('force'),
      dryRun: flags.has('dry_run'),
      trigger: 'control',
      signal: AbortSignal.any([signal, timeout]),
    })
  } catch (error) {
    if (!(error instanceof ReloadError) || error.code !== 'ABORTED') throw error
    const detail = `no result within ${timeoutMs} ms; the reload goes on, GET /status tells how it ended`
    throw new RequestProblem('reload-timeout', detail)
  }
}

const STATUSES = {
  applied: 'reloaded',
  unchanged: 'unchanged',
  validated: 'validated',
} satisfies Partial<Record<Outcome, ReloadView['status']>>

function resultAnswer(result: ReloadResult): Answer {
  const { outcome, generation, serving, diff, timings } = result
  if (outcome === 'rejected' || outcome === 'waiting-for-pair') return failureAnswer(result)
  const status = STATUSES[outcome]
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
