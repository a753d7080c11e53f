import { refusedRequests } from '../../support/clients/refused-requests.js'

const DRAINS = 15

/** Requests that an HTTP/2 session refuses when it is drained under load, by one GOAWAY and by two. */
export async function refusedByGoaway(): Promise<string[]> {
  const lines: string[] = []
  for (const http2 of ['single', 'two-phase'] as const) {
    const undo: (() => unknown)[] = []
    const owner = { after: (fn: unknown) => void undo.push(fn as () => unknown) }
    const { sent, refused } = await refusedRequests(owner, http2, DRAINS)
    for (const one of undo) await one()
    lines.push(`| ${http2} | ${DRAINS} | ${sent} | ${refused} |`)
  }
  return lines
}
