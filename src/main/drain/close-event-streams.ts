import type { ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'

import { z } from 'zod'

import { refusal, WORDED } from '../base/refusal.js'
import { callUserCode } from '../base/user-code.js'
import type { DrainNotice } from './connections/connection.js'
import type { ResponseHook } from './connections/hooks.js'
import { DrainError } from './errors.js'

/** Options of {@link closeEventStreams}. */
export interface EventStreamOptions {
  /**
   * Milliseconds after which clients reconnect; sent as the field `retry`.
   * @defaultValue not sent; the client's own default, a few seconds, applies
   */
  readonly retryMs?: number
  /**
   * Text of the last events, each terminated by its empty line: `'event: bye\ndata: {}\n\n'`.
   * @defaultValue none
   */
  readonly last?: string | ((notice: DrainNotice) => string)
}

const schema = z.strictObject({
  retryMs: z.int().min(0).optional(),
  last: z
    .union([z.string(), z.custom<(notice: DrainNotice) => string>((value) => typeof value === 'function')], {
      error: 'expected a string or a function that returns one',
    })
    .optional(),
})

/**
 * An `onResponse` hook that ends server-sent events (WHATWG HTML, section 9.2): it sends the last events and ends the
 * response, so that clients reconnect elsewhere. Other responses are left alone. Later writes of the application to the
 * event stream are discarded; without this, Node would raise an error.
 *
 * @example
 * const drain = createDrain({ servers: [server], onResponse: closeEventStreams({ retryMs: 1_000 }) })
 *
 * @throws DrainError `OPTIONS_INVALID`
 */
export function closeEventStreams(options: EventStreamOptions = {}): ResponseHook {
  const parsed = schema.safeParse(options, WORDED)
  if (!parsed.success) {
    throw new DrainError('OPTIONS_INVALID', `closeEventStreams: ${refusal(parsed.error.issues, options)}`)
  }
  const { retryMs, last = '' } = parsed.data
  const retry = retryMs === undefined ? '' : `retry: ${retryMs}\n\n`
  return (response, notice) => {
    whenStarted(response, () => {
      if (response.writableEnded || !isEventStream(response)) return
      endForGood(response, textOf(last, notice) + retry)
    })
  }
}

/** If `last` throws or returns no string, the stream still ends, without last events. */
function textOf(last: string | ((notice: DrainNotice) => string), notice: DrainNotice): string {
  if (typeof last === 'string') return last
  const text = callUserCode('hook', 'the option `last` of closeEventStreams', () => last(notice))
  return typeof text === 'string' ? text : ''
}

/** Calls back once the response headers have been sent. Node has no event for it, but every path calls `writeHead`. */
function whenStarted(response: ServerResponse, started: () => void): void {
  if (response.headersSent) {
    started()
    return
  }
  const writeHead = response.writeHead as (...args: unknown[]) => unknown
  let due = false
  const watched = (...args: unknown[]) => {
    // Deferred, so that the application's writes in the same turn precede the end.
    if (!due) setImmediate(started)
    due = true
    return writeHead.apply(response, args)
  }
  Object.assign(response, { writeHead: watched })
}

function isEventStream(response: ServerResponse): boolean {
  return /^text\/event-stream\b/i.test(contentTypeOf(response))
}

function contentTypeOf(response: ServerResponse): string {
  const { stream } = response as { readonly stream?: ServerHttp2Stream }
  if (stream) return String(stream.sentHeaders?.['content-type'] ?? '')
  const given = response.getHeader('content-type')
  if (given !== undefined) return String(given)
  // Headers passed only to `writeHead` cannot be read anywhere else.
  const { _header: sent } = response as unknown as { readonly _header?: unknown }
  return /^content-type:[ \t]*(.*)$/im.exec(String(sent ?? ''))?.[1] ?? ''
}

function endForGood(response: ServerResponse, text: string): void {
  response.end(text)
  Object.assign(response, {
    write: (...args: unknown[]) => discarded(args, false),
    end: (...args: unknown[]) => discarded(args, response),
  })
}

/** Calls the callback of a write, because the application may wait for it. */
function discarded<T>(args: readonly unknown[], result: T): T {
  const done = args.at(-1)
  if (typeof done === 'function') setImmediate(() => done())
  return result
}
