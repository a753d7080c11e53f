import type { DrainResult } from '../../drain/active-drain.js'
import type { ConnectionCounts } from '../../drain/connections/connection.js'
import { DrainError, type DrainErrorCode } from '../../drain/errors.js'
import type { Drain, DrainRun } from '../../drain/handle.js'
import type { DrainStartOptions } from '../../drain/options.js'
import { rounded } from '../../reload/phase-timer.js'
import { type ProblemKind, problemAnswer, RequestProblem } from '../problem-document.js'
import type { Answer, Route, RouteRequest } from '../route.js'

/** The response to `GET /drain`. */
export interface DrainView {
  readonly state: string
  readonly uri: string | null
  readonly reason: string | null
  /** Milliseconds until the remaining connections are cut; `null` without a deadline or a drain. */
  readonly remaining_ms: number | null
  /** Live connections by protocol. */
  readonly connections: ConnectionCounts
}

/** The result of a drain, in the response to `wait=1`. */
export interface DrainResultView {
  readonly state: string
  readonly duration_ms: number
  readonly uri: string | null
  readonly reason: string | null
  /** Connections by the way they ended, and by protocol. */
  readonly closed: ConnectionCounts
  readonly abandoned: ConnectionCounts
  readonly forced: ConnectionCounts
}

/** `/drain`: starts, shows, cancels and forces the drain of the server. */
export function drainRoutes(drain: Drain): Route[] {
  return [showRoute(drain), startRoute(drain), cancelRoute(drain), forceRoute(drain)]
}

function showRoute(drain: Drain): Route {
  return {
    method: 'GET',
    path: '/drain',
    query: {},
    takesBody: false,
    statuses: [200],
    handle: () => viewAnswer(drain, 200),
  }
}

function startRoute(drain: Drain): Route {
  return {
    method: 'POST',
    path: '/drain',
    query: { wait: 'flag' },
    takesBody: 'optional',
    statuses: [200, 202, 409, 415, 422, 503, 504],
    async handle({ body, flags, ...request }) {
      const options = optionsIn(body)
      const run = attempt(() => drain.start(options))
      if (!flags.has('wait')) return viewAnswer(drain, 202)
      const result = await endOf(drain, run, request)
      return result.outcome === 'drained' ? resultAnswer(result) : forcedAnswer(result)
    },
  }
}

function cancelRoute(drain: Drain): Route {
  return {
    method: 'DELETE',
    path: '/drain',
    query: {},
    takesBody: false,
    statuses: [204, 409],
    handle() {
      if (drain.state === 'running') throw new RequestProblem('not-draining', 'there is no drain to cancel')
      attempt(() => drain.cancel())
      return { status: 204, json: null, text: '' }
    },
  }
}

function forceRoute(drain: Drain): Route {
  return {
    method: 'POST',
    path: '/drain/force',
    query: { wait: 'flag' },
    takesBody: false,
    statuses: [200, 202, 409],
    async handle({ flags, ...request }) {
      attempt(() => drain.force())
      // The request asked for `forced`, so it is not a problem here.
      if (flags.has('wait')) return resultAnswer(await endOf(drain, drain.run as DrainRun, request))
      return viewAnswer(drain, 202)
    },
  }
}

/** Each option of a request, and the corresponding option of `start`. */
const OPTIONS = {
  uri: 'uri',
  reason: 'reason',
  deadline_ms: 'deadlineMs',
  lame_duck_ms: 'lameDuckMs',
} as const satisfies Record<string, keyof DrainStartOptions>

/** The drain checks the values. */
function optionsIn(body: unknown): DrainStartOptions {
  if (body === undefined) return {}
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refusal('expected an object')
  const unknown = Object.keys(body).filter((name) => !Object.hasOwn(OPTIONS, name))
  if (unknown.length > 0) {
    throw refusal(`unknown option ${unknown.join(', ')}: expected ${Object.keys(OPTIONS).join(', ')}`)
  }
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [OPTIONS[name as keyof typeof OPTIONS], value]),
  )
}

function refusal(detail: string): RequestProblem {
  return new RequestProblem('invalid-drain', `${detail}; nothing was done`, { code: 'OPTIONS_INVALID' })
}

const PROBLEMS: Readonly<Partial<Record<DrainErrorCode, ProblemKind>>> = {
  OPTIONS_INVALID: 'invalid-drain',
  DRAIN_STARTED: 'drain-started',
  DRAIN_NOT_STARTED: 'not-draining',
  DRAIN_NOT_CANCELLABLE: 'drain-final',
  CLOSED: 'shutting-down',
}

function attempt<T>(act: () => T): T {
  try {
    return act()
  } catch (error) {
    const kind = error instanceof DrainError ? PROBLEMS[error.code] : undefined
    if (!kind) throw error
    const { code, message } = error as DrainError
    throw new RequestProblem(kind, message, { code })
  }
}

/** @throws RequestProblem if the drain was cancelled, or the client has disconnected. */
async function endOf(
  drain: Drain,
  run: DrainRun,
  { removeTimeLimit, signal }: Pick<RouteRequest, 'removeTimeLimit' | 'signal'>,
): Promise<DrainResult> {
  removeTimeLimit()
  const cancelled = new AbortController()
  const follow = (state: string) => {
    if (state === 'running') cancelled.abort()
  }
  drain.on('state', follow)
  try {
    return await run.complete(AbortSignal.any([signal, cancelled.signal]))
  } catch (error) {
    if (!(error instanceof DrainError)) throw error
    throw new RequestProblem('not-draining', 'the drain was cancelled')
  } finally {
    drain.off('state', follow)
  }
}

function viewAnswer(drain: Drain, status: number): Answer {
  const view = viewOf(drain)
  const { state, connections, remaining_ms } = view
  const time = remaining_ms === null ? '' : `, ${Math.ceil(remaining_ms / 1000)} s left`
  return {
    status,
    json: view,
    text: `${state}: ${total(connections)} connections${time}`,
    ...(status === 202 ? { headers: { Location: '/drain' } } : {}),
  }
}

function viewOf(drain: Drain): DrainView {
  const { run, state } = drain
  const remainingMs = run?.remainingMs ?? Number.POSITIVE_INFINITY
  return {
    state,
    uri: run?.uri ?? null,
    reason: run?.reason ?? null,
    remaining_ms: remainingMs === Number.POSITIVE_INFINITY ? null : rounded(remainingMs),
    connections: drain.connections(),
  }
}

function resultAnswer(result: DrainResult): Answer {
  const { outcome, durationMs, uri, reason, closed, abandoned, forced } = result
  const view: DrainResultView = {
    state: outcome,
    duration_ms: rounded(durationMs),
    uri: uri ?? null,
    reason: reason ?? null,
    closed,
    abandoned,
    forced,
  }
  return { status: 200, json: view, text: `${outcome}: ${summary(result)}` }
}

function forcedAnswer(result: DrainResult): Answer {
  return problemAnswer('drain-forced', summary(result))
}

function summary({ closed, abandoned, forced, durationMs }: DrainResult): string {
  const counts = `${total(closed)} closed, ${total(abandoned)} abandoned, ${total(forced)} cut`
  return `${counts} in ${(durationMs / 1000).toFixed(1)} s`
}

function total(counts: ConnectionCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
