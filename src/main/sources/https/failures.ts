import { SourceError, type SourceErrorCode } from '../../api/source.js'

/** What a request asks for, and where; the beginning of every message about it. */
export interface Subject {
  /** For example `the identity`. */
  readonly label: string
  readonly url: URL
}

/** Only the origin of the URL is shown, because its path and query may contain a credential. */
export function refused(
  { label, url }: Subject,
  reason: string,
  code: SourceErrorCode = 'SOURCE_INVALID',
  retryAfterMs?: number,
): SourceError {
  const options = retryAfterMs === undefined ? {} : { retryAfterMs }
  return new SourceError(code, `cannot get ${label} from ${url.origin}: ${reason}`, options)
}

/** The error of a connection, without its text, which may contain parts of the request or of the answer. */
export function failureOf(error: unknown, subject: Subject, signal: AbortSignal): SourceError {
  if (error instanceof SourceError) return error
  if (signal.aborted) return tooLate(subject)
  const { code } = error as NodeJS.ErrnoException
  if (typeof code !== 'string') return refused(subject, 'the request failed', 'SOURCE_UNREACHABLE')
  if (code.startsWith('HPE_')) return refused(subject, `the answer is not valid HTTP (${code})`)
  return refused(subject, `the connection failed (${code})`, 'SOURCE_UNREACHABLE')
}

export function tooLate(subject: Subject): SourceError {
  return refused(subject, 'no complete answer in time', 'SOURCE_TIMEOUT')
}
