import { setTimeout as delay } from 'node:timers/promises'

import { printable } from '../../../workers/base/printable.js'
import { logOutput } from '../../base/log-output.js'
import type { StatusView } from '../../control/routes/status.js'
import type { AttemptView } from '../../control/views.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { ask, type ClientFlags, type Reply } from './ask.js'
import { type Paint, paintFor } from './paint.js'
import {
  contextRows,
  endRows,
  hostRows,
  problemLine,
  type Row,
  span,
  table,
  trustCounts,
  warningLine,
} from './report.js'
import { NO_SCREEN, SCREEN } from './screen.js'

export interface StatusFlags extends ClientFlags {
  readonly watch?: boolean
  /** Seconds. */
  readonly interval: number
  readonly exitZero?: boolean
}

const TIMEOUT_MS = 5_000
/** The states in which what is on disk, or what the source delivers, is not in service. */
const TROUBLED: ReadonlySet<string> = new Set(['failing', 'waiting-for-pair'])

/** `certswap status`: exits with 1 while the engine is failing or waiting, unless `--exit-zero` is given. */
export async function status(flags: StatusFlags): Promise<void> {
  if (flags.watch) return await watch(flags)
  const reply = await askStatus(flags)
  process.stdout.write(textOf(reply, flags))
  const { state } = reply.json as StatusView
  if (TROUBLED.has(state) && !flags.exitZero) throw new CommandError(EXIT.rejected, [])
}

/**
 * Shows the status repeatedly until SIGINT or SIGTERM, or until its reader has ended. If the server ends, it waits for another
 * one. A reader that pauses gets the next status when it reads again, and never prevents the program from ending.
 */
async function watch(flags: StatusFlags): Promise<void> {
  const stopped = new AbortController()
  const stop = () => stopped.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const [output, errors] = [logOutput(), logOutput(2)]
  const screen = process.stdout.isTTY && !flags.json ? SCREEN : NO_SCREEN
  output.write(screen.open)
  while (!stopped.signal.aborted && !output.isBroken) {
    try {
      const reply = await askStatus(flags, stopped.signal)
      if (!output.isWaiting) output.write(screen.page(textOf(reply, flags), flags.interval))
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      if (!stopped.signal.aborted) errors.write(`certswap: ${printable(error.lines[0] ?? '')}\n`)
    }
    await delay(flags.interval * 1000, undefined, { signal: stopped.signal }).catch(() => {})
  }
  output.write(screen.close)
}

function askStatus({ control }: StatusFlags, signal?: AbortSignal): Promise<Reply> {
  const question = { control, method: 'GET', path: '/status', timeoutMs: TIMEOUT_MS } as const
  return ask(signal ? { ...question, signal } : question)
}

function textOf({ body, json }: Reply, flags: StatusFlags): string {
  return flags.json ? body : statusReport(json as StatusView, paintFor(process.stdout), Date.now())
}

/** The status as a table. */
function statusReport(status: StatusView, paint: Paint, nowMs: number): string {
  const { state, generation, contexts, warnings, failing_since: since, last_failure: failure } = status
  const failing =
    since === null
      ? ''
      : ` for ${span(nowMs - Date.parse(since))}: the ${status.source ? 'material of the source is' : 'files on disk are'} not in service`
  const { differs_since: differs } = status
  const restored = status.restored === null ? '' : ` (generation ${status.restored} again)`
  const ago = (iso: string) => `${span(nowMs - Date.parse(iso))} ago`
  const rows: Row[] = [
    ['state', paint(state === 'serving' ? 'green' : 'red', `${state}${failing}`)],
    ['generation', `${generation}, by ${status.trigger} ${ago(status.since)}${restored}`],
    ...(differs !== null && since === null
      ? [
          [
            'disk',
            paint(
              'yellow',
              `differs from the certificate in service, for ${span(nowMs - Date.parse(differs))}`,
            ),
          ] satisfies Row,
        ]
      : []),
    ...contexts.flatMap((context) => contextRows(context, paint, nowMs)),
    ...trustRows(status, paint),
    ...endRows(status.ends, paint, nowMs),
    ...hostRows(status.hosts, paint, nowMs),
    ...sourceRows(status.source, paint, ago),
    ...onDemandRows(status.on_demand, paint, ago),
    ...warnings.map((warning) => ['warning', warningLine(warning, paint)] satisfies Row),
    ['last attempt', attemptLine(status.last_attempt, ago)],
    ['last success', attemptLine(status.last_success, ago)],
    ['last failure', failure ? paint('red', attemptLine(failure, ago)) : 'none'],
    ...(failure?.errors ?? []).map((error) => ['  problem', problemLine(error)] satisfies Row),
    ['checks', checksLine(status)],
    ['passes', passesLine(status.passes)],
    ['servers', String(status.servers)],
    ['connections', connectionsLine(status.connections)],
    ...status.members.flatMap((member) => memberRows(member, paint, nowMs)),
    [
      'process',
      `pid ${status.pid}, certswap ${status.version}, Node ${status.node}, OpenSSL ${status.openssl}, ` +
        `up ${span(status.uptime_seconds * 1000)}`,
    ],
  ]
  return table(rows, paint)
}

function trustRows({ trust, trust_restored: restored }: StatusView, paint: Paint): Row[] {
  if (trust.authorities === 0 && restored === null) return []
  const counts = trustCounts(trust)
  if (restored === null) return [['trust', counts]]
  const source = `restored from generation ${restored}: it may differ from the CA and CRL files`
  return [['trust', `${counts}; ${paint('yellow', source)}`]]
}

/** Absent in the answers of an earlier version. */
function sourceRows(
  source: StatusView['source'] | undefined,
  paint: Paint,
  ago: (iso: string) => string,
): Row[] {
  if (!source) return []
  const { name, version, served_since: since, failing_since: failing, stale, push_outage: outage } = source
  const served = since === null ? 'rolled back' : `since ${ago(since)}`
  const rows: Row[] = [['source', `${printable(name)}, version ${printable(version ?? 'none')}, ${served}`]]
  if (stale) rows.push(['', paint('yellow', 'kept from an earlier run: the source has not answered yet')])
  if (failing !== null) rows.push(['', paint('red', `no usable answer since ${ago(failing)}`)])
  if (outage)
    rows.push(
      ['', paint('red', `announces no changes since ${ago(outage.since)}`)],
      ['  problem', problemLine(outage.problem)],
    )
  return rows
}

/** Absent in the answers of an earlier version. */
function onDemandRows(
  onDemand: StatusView['on_demand'] | undefined,
  paint: Paint,
  ago: (iso: string) => string,
): Row[] {
  if (!onDemand) return []
  const { source, hosts, pending, failing_since: failing, problem } = onDemand
  const rows: Row[] = [['on demand', `${hosts} hosts of ${printable(source)}, ${pending} pending`]]
  if (failing !== null) rows.push(['', paint('red', `no answer since ${ago(failing)}`)])
  if (problem !== null) rows.push(['  problem', problemLine(problem)])
  return rows
}

function attemptLine({ outcome, trigger, at }: AttemptView, ago: (iso: string) => string): string {
  return `${printable(outcome)} ${ago(at)}, by ${printable(trigger)}`
}

function checksLine({ auto_reload_interval: interval, next_check_in_ms: next }: StatusView): string {
  const every = interval === 0 ? 'off' : `every ${interval} s`
  return next === null ? every : `${every}, next in ${span(next)}`
}

function memberRows(member: StatusView['members'][number], paint: Paint, nowMs: number): Row[] {
  const { id, pid, thread_id: thread, generation, connections, missed, evicted } = member
  const who = thread === 0 ? `pid ${pid}` : `pid ${pid}, thread ${thread}`
  const text = `${who}, generation ${generation}, connections: ${connectionsLine(connections)}`
  if (!evicted) {
    const late = missed === 0 ? '' : paint('yellow', `; has not answered ${missed} roll-outs in a row`)
    return [[`  member ${id}`, `${text}${late}`]]
  }
  const since = span(nowMs - Date.parse(evicted.since))
  const trust = evicted.trust_withdrawn ? ', while trust was withdrawn' : ''
  return [
    [`  member ${id}`, `${text}; ${paint('red', `evicted for ${since}${trust}`)}`],
    ['  problem', printable(evicted.detail)],
  ]
}

function connectionsLine(connections: StatusView['connections']): string {
  const parts = Object.entries(connections).map(
    ([generation, count]) => `${count} of generation ${printable(generation)}`,
  )
  return parts.join(', ') || 'none'
}

function passesLine(passes: StatusView['passes']): string {
  return Object.entries(passes)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ')
}
