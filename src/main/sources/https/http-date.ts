/** The preferred format of dates in HTTP (RFC 9110, section 5.6.7). */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Milliseconds since the epoch; `null` if the text is not such a date. */
export function parseHttpDate(text: string | undefined): number | null {
  const parsed = text !== undefined && IMF_FIXDATE.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(parsed) ? null : parsed
}
