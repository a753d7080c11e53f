import { printable } from '../../workers/base/printable.js'
import type { Problem } from '../../workers/base/problem.js'
import { shortened } from '../../workers/base/short-text.js'
import { SourceError, type SourceErrorCode } from '../api/source.js'

/** Why a source gave no material, and the shortest time until the next attempt in milliseconds. */
export interface SourceFailure {
  readonly problem: Problem
  readonly retryAfterMs: number
}

const CODES: ReadonlySet<SourceErrorCode> = new Set([
  'SOURCE_UNREACHABLE',
  'SOURCE_DENIED',
  'SOURCE_TIMEOUT',
  'SOURCE_INVALID',
  'SOURCE_WITHDRAWN',
])

/** The longest `retryAfterMs` that is honoured. */
const MAX_RETRY_AFTER_MS = 3_600_000

/**
 * The problem of an error that a source threw. Only the message of a {@link SourceError} is shown: that of any other error may
 * quote what was read, as `JSON.parse` does.
 */
export function sourceFailure(source: string, error: unknown): SourceFailure {
  const known = asSourceError(error)
  if (!known)
    return {
      problem: problem('SOURCE_UNREACHABLE', source, `read() failed with ${nameOf(error)}`),
      retryAfterMs: 0,
    }
  const { retryAfterMs = 0 } = known
  return {
    problem: problem(known.code, source, known.message),
    retryAfterMs: Number.isFinite(retryAfterMs) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, retryAfterMs)) : 0,
  }
}

/** Also an error of another copy of this package: sources are packages of their own. */
function asSourceError(error: unknown): Pick<SourceError, 'code' | 'message' | 'retryAfterMs'> | null {
  const given = error as Partial<SourceError> | null | undefined
  const isNamed = error instanceof SourceError || (error instanceof Error && error.name === 'SourceError')
  return isNamed && CODES.has(given?.code as SourceErrorCode) ? (given as SourceError) : null
}

/** An error to show: that of the source if it is a `SourceError`, otherwise one with its code only, and without a stack. */
export function withoutContent(method: string, error: unknown): Error {
  const known = asSourceError(error)
  const message = known ? shortened(printable(known.message)) : `${method}() failed with ${nameOf(error)}`
  return Object.assign(new Error(message), { stack: undefined })
}

function problem(code: SourceErrorCode, source: string, what: string): Problem {
  return { code, message: `source ${source}: ${shortened(printable(what))}` }
}

/** The code of a system or Node error, or the name of its class. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'a value that is not an error'
  const { code } = error as NodeJS.ErrnoException
  const name = typeof code === 'string' ? code : error.name
  return /^[\w.-]{1,64}$/.test(name) ? name : 'an error without a usable name'
}
