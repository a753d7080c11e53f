import type { IncomingHttpHeaders } from 'node:http'

import { parseHttpDate } from './http-date.js'

/** The longest delay that a service can ask for, in milliseconds. */
const MAX_DELAY_MS = 3_600_000

/**
 * The delay of `Retry-After` (RFC 9110, section 10.2.3) in milliseconds, 0 to 3600000; `undefined` without a valid one. A date
 * is compared with the `Date` of the answer, because the clock of this machine may differ from that of the service.
 */
export function retryAfterMs(headers: IncomingHttpHeaders, wallMs: number): number | undefined {
  const text = headers['retry-after']?.trim()
  if (text === undefined) return undefined
  if (/^\d+$/.test(text)) return bounded(Number(text) * 1000)
  const at = parseHttpDate(text)
  return at === null ? undefined : bounded(at - (parseHttpDate(headers.date) ?? wallMs))
}

function bounded(delayMs: number): number {
  return Math.min(Math.max(0, delayMs), MAX_DELAY_MS)
}
