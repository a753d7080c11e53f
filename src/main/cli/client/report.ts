import { printable } from '../../../workers/base/printable.js'
import { DATED_CODES } from '../../../workers/problems/out-of-date.js'
import type {
  CertificateView,
  ContextView,
  EndsView,
  EndView,
  HostsView,
  ProblemView,
  TrustView,
} from '../../control/views.js'
import { Thresholds } from '../../engine/thresholds.js'
import type { Paint } from './paint.js'
import { wrapped } from './wrap.js'

const DAY_MS = 86_400_000

/** A line of a report. */
export type Row = readonly [label: string, value: string]

/** The rows with aligned values: one line each, or as many as fit into `columns`. */
export function table(rows: readonly Row[], paint: Paint, columns: number = terminalColumns()): string {
  const width = Math.max(...rows.map(([label]) => label.length))
  const lines = rows.flatMap(([label, value]) =>
    wrapped(value, columns - width - 2).map((line, i) => [i === 0 ? label : '', line] as const),
  )
  return lines.map(([label, line]) => `${paint('dim', label.padEnd(width))}  ${line}\n`).join('')
}

/** On a pipe, each row stays one line, so that other programs can read it. */
function terminalColumns(): number {
  return process.stdout.isTTY ? Math.max(process.stdout.columns, MIN_COLUMNS) : Number.POSITIVE_INFINITY
}

const MIN_COLUMNS = 40

/** Rows for each certificate of a context; the alternates follow the first. */
export function contextRows({ name, alternates, ...first }: ContextView, paint: Paint, nowMs: number): Row[] {
  return [first, ...alternates].flatMap((certificate) => certificateRows(name, certificate, paint, nowMs))
}

function certificateRows(context: string, certificate: CertificateView, paint: Paint, nowMs: number): Row[] {
  const { subject, names, issuer, key_type, serial, fingerprint256, not_before, not_after } = certificate
  const chainEndsFirst = certificate.chain_not_after !== not_after
  return [
    ['certificate', `${paint('bold', printable(subject || '(no subject)'))} (${printable(context)})`],
    ['  names', printable(names.join(', '))],
    ['  issuer', printable(issuer)],
    ['  key', printable(key_type)],
    ['  serial', printable(serial)],
    ['  fingerprint', printable(fingerprint256)],
    [
      '  valid',
      `${printable(not_before)} until ${printable(not_after)} ${lifeLeft(not_before, not_after, paint, nowMs)}`,
    ],
    ...(chainEndsFirst ? [['  chain until', printable(certificate.chain_not_after)] satisfies Row] : []),
  ]
}

/** The number of SNI hosts, and the one whose certificate expires first. */
export function hostRows(hosts: HostsView | null, paint: Paint, nowMs: number): Row[] {
  if (!hosts) return []
  const { count, soonest } = hosts
  if (!soonest) return [['hosts', String(count)]]
  const first = `first to expire: ${printable(soonest.id)}, ${printable(soonest.not_after)}`
  return [['hosts', `${count}; ${first} ${lifeLeft(soonest.not_before, soonest.not_after, paint, nowMs)}`]]
}

export function trustCounts({ authorities, revocation_lists, peer_rules }: TrustView): string {
  const rules =
    peer_rules === null ? '' : `, ${peer_rules} ${peer_rules === 1 ? 'rule' : 'rules'} about peers`
  return `${authorities} authorities, ${revocation_lists} revocation lists${rules}`
}

/** The trust anchor, revocation list and OCSP response that expire first; leaf and chain are in the rows of their certificate. */
export function endRows({ ca, crl, ocsp }: EndsView, paint: Paint, nowMs: number): Row[] {
  const row = (label: string, end: EndView | null): Row[] => {
    if (end === null) return []
    const { name, not_before, not_after } = end
    const until = `${printable(name)} until ${printable(not_after)}`
    return [[label, `${until} ${lifeLeft(not_before, not_after, paint, nowMs)}`]]
  }
  return [
    ...row('  first CA to expire', ca),
    ...row('  first CRL to expire', crl),
    ...row('  first OCSP response to expire', ocsp),
  ]
}

/** A problem as one line, with host and file unless the detail names them. */
export function problemLine({ context, code, detail, file }: ProblemView): string {
  const places = [context === 'default' ? undefined : context, file]
  const missing = places.filter((one) => one !== undefined && !detail.includes(one))
  const where = missing.length === 0 ? '' : ` (${missing.join(', ')})`
  return printable(`${code}: ${detail}${where}`)
}

/** The remaining time, in the colour of the thresholds at which the engine warns. */
function lifeLeft(notBefore: string, notAfter: string, paint: Paint, nowMs: number): string {
  const leftMs = Date.parse(notAfter) - nowMs
  if (leftMs <= 0) return paint('red', '(expired)')
  const level = THRESHOLDS.levelAt(leftMs, Date.parse(notAfter) - Date.parse(notBefore))
  return paint(level > 0 ? 'red' : level === 0 ? 'yellow' : 'green', `(${span(leftMs)} left)`)
}

/** The default thresholds, because a client does not know the options of the server. */
const THRESHOLDS = new Thresholds([30, 7])

/** A warning as one line; in red if material has expired or is not valid yet. */
export function warningLine(warning: ProblemView, paint: Paint): string {
  return paint(DATED_CODES.has(warning.code) ? 'red' : 'yellow', problemLine(warning))
}

/** A span of time in a rounded unit: `40 s`, `5 min`, `3 h`, `12 days`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 90) return `${seconds} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round((seconds * 1000) / DAY_MS)} days`
}
