import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { accepts } from 'hono/accepts'

import { printable, printableJson } from '../../workers/base/printable.js'
import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import { problemAnswer, RequestProblem } from './problem-document.js'
import type { Answer, Route, RouteRequest } from './route.js'

/** Checks a request before any route; throws a `RequestProblem` to refuse it. */
export type Guard = (headers: Headers) => void

export interface AppParts {
  readonly routes: readonly Route[]
  readonly guards: readonly Guard[]
  readonly logger: Logger
  /** Called for every response with the path pattern of its route, or `unmatched`. */
  readonly answered: (route: string, status: number) => void
}

/** Routes, methods and problems of the control server; independent of sockets. */
export function createApp({ routes, guards, logger, answered }: AppParts): Hono {
  const app = new Hono()
  const handle = (label: string, answer: (c: Context) => Answer | Promise<Answer>) => async (c: Context) => {
    const given = await attempt(c, logger, async () => {
      for (const guard of guards) guard(c.req.raw.headers)
      return await answer(c)
    })
    answered(label, given.status)
    return render(c, given)
  }
  for (const route of routes) {
    app.on(
      route.method,
      route.path,
      handle(route.path, (c) => answerOf(route, c)),
    )
  }
  for (const [path, allow] of allowedMethods(routes)) {
    app.all(
      path,
      handle(path, (c) => methodNotAllowed(c, allow)),
    )
  }
  const paths = [...new Set(routes.map(({ path }) => path))].join(', ')
  app.notFound(handle('unmatched', (c) => problemAnswer('not-found', `${c.req.path} is not one of ${paths}`)))
  return app
}

/** For each path the value of `Allow`. */
function allowedMethods(routes: readonly Route[]): Map<string, string> {
  const allowed = new Map<string, string>()
  for (const { method, path } of routes) {
    const methods = method === 'GET' ? 'GET, HEAD' : method
    allowed.set(path, [allowed.get(path), methods].filter(Boolean).join(', '))
  }
  return allowed
}

function methodNotAllowed(c: Context, allow: string): Answer {
  const detail = `${c.req.path} allows ${allow}, not ${c.req.raw.method}; nothing was done`
  return problemAnswer('method-not-allowed', detail, { headers: { Allow: allow } })
}

async function attempt(c: Context, logger: Logger, work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof RequestProblem) return error.answer
    if (error instanceof ReloadError && error.code === 'CLOSED') {
      return problemAnswer('shutting-down', 'the reload engine is closed', { code: error.code })
    }
    // Its message may contain anything, so it is logged but not sent to the client.
    logger.error({ err: error, method: c.req.method, path: c.req.path }, 'the control server failed')
    return problemAnswer('internal-error', 'see the log of the server')
  }
}

async function answerOf(route: Route, c: Context): Promise<Answer> {
  const query = queryOf(route, new URL(c.req.url).searchParams)
  const body = await bodyOf(route, c)
  return await route.handle({
    ...query,
    body,
    signal: c.req.raw.signal,
    header: (name) => c.req.header(name),
    param: (name) => c.req.param(name),
    removeTimeLimit: () => void (c.env as Partial<HttpBindings> | undefined)?.incoming?.socket.setTimeout(0),
  })
}

const FLAG_VALUES: Readonly<Record<string, boolean>> = { '1': true, true: true, '0': false, false: false }

/** The longest name in DNS has 253 characters (RFC 1035). */
const SERVER_NAME = /^[\w.*-]{1,253}$/

/** Unknown parameters are refused: a misspelled `dry_run` must not reload. */
function queryOf(
  { query, path }: Route,
  given: URLSearchParams,
): Pick<RouteRequest, 'flags' | 'numbers' | 'names'> {
  const flags = new Set<string>()
  const numbers = new Map<string, number>()
  const names = new Map<string, string>()
  for (const name of new Set(given.keys())) {
    const kind = Object.hasOwn(query, name) ? query[name] : undefined
    if (kind === undefined) {
      const known = Object.keys(query).join(', ') || 'no query parameters'
      throw new RequestProblem(
        'malformed-request',
        `unknown query parameter ${name}: ${path} accepts ${known}`,
      )
    }
    const values = given.getAll(name)
    const value = values.length === 1 ? (values[0] as string) : ''
    const flag = Object.hasOwn(FLAG_VALUES, value) ? FLAG_VALUES[value] : undefined
    if (kind === 'flag' && flag !== undefined) {
      if (flag) flags.add(name)
    } else if (kind === 'number' && /^[1-9]\d{0,14}$/.test(value)) {
      numbers.set(name, Number(value))
    } else if (kind === 'name' && SERVER_NAME.test(value)) {
      names.set(name, value)
    } else {
      const expected = { flag: '1 or 0', number: 'a whole number from 1', name: 'a server name' }[kind]
      throw new RequestProblem('malformed-request', `query parameter ${name}: expected ${expected}, once`)
    }
  }
  return { flags, numbers, names }
}

async function bodyOf({ takesBody, path }: Route, c: Context): Promise<unknown> {
  if (c.req.method === 'GET') return undefined
  const text = await c.req.text()
  if (!takesBody) {
    if (text === '') return undefined
    throw new RequestProblem('malformed-request', `${path} accepts no body`)
  }
  if (takesBody === 'optional' && text === '') return undefined
  const type = (c.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json' && type !== 'application/merge-patch+json') {
    throw new RequestProblem('unsupported-media-type', 'expected Content-Type: application/json')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new RequestProblem('malformed-request', 'the body is not JSON')
  }
}

function render(c: Context, { status, json, text, type, headers, verbatim }: Answer): Response {
  if (verbatim !== undefined) {
    return new Response(verbatim, { status, headers: { 'Content-Type': type ?? 'text/plain', ...headers } })
  }
  if (json === null) return new Response(null, { status, headers: { ...headers } })
  const plain = wantsText(c)
  const contentType = plain ? 'text/plain; charset=utf-8' : (type ?? 'application/json')
  const body = plain ? printable(text) : printableJson(json)
  return new Response(`${body}\n`, { status, headers: { 'Content-Type': contentType, ...headers } })
}

function wantsText(c: Context): boolean {
  const supports = ['application/json', 'text/plain']
  return accepts(c, { header: 'Accept', supports, default: 'application/json' }) === 'text/plain'
}
