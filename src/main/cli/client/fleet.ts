import { printable, printableJson } from '../../../workers/base/printable.js'
import { SourceError, type SourceErrorCode } from '../../api/source.js'
import { adviceFor } from '../../base/advice.js'
import { ReloadError } from '../../base/errors.js'
import type { RedisClient } from '../../sources/redis/index.js'
import { type FleetIdentity, readFleet } from '../../sources/redis/read-fleet.js'
import type { ReplicaReport } from '../../sources/redis/replica-report.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { createRedisClient } from '../redis-client.js'
import { type Paint, paintFor } from './paint.js'
import { span } from './report.js'

export interface FleetFlags {
  /** URL of the server; may contain a password. */
  readonly redis?: string
  readonly passwordFile?: string
  readonly ca?: string
  readonly identity?: string
  readonly prefix: string
  readonly json?: boolean
  /** Seconds. */
  readonly timeout: number
}

/** `certswap fleet` */
export async function fleet(flags: FleetFlags): Promise<void> {
  const { REDIS_URL } = process.env
  const url = flags.redis ?? REDIS_URL
  if (url === undefined) {
    throw new CommandError(EXIT.usage, [
      'no Redis server is given',
      'set --redis URL, or the variable REDIS_URL',
    ])
  }
  const client = await clientOf(url, flags)
  const { prefix, identity, json, timeout } = flags
  const signal = AbortSignal.timeout(timeout * 1000)
  const identities = await readFleet(client, { prefix, identity, signal }).catch((error: unknown) => {
    throw failure(error)
  })
  const rows = identities.map((one) => ({
    ...one,
    replicas: one.replicas.map((report) => rowOf(report, one)),
  }))
  if (json) process.stdout.write(`${printableJson({ identities: rows })}\n`)
  else process.stdout.write(tablesOf(rows, paintFor(process.stdout), Date.now()))
  const flaw = flawOf(rows)
  if (flaw) throw new CommandError(EXIT.rejected, flaw)
}

/** @throws CommandError without the URL, which may contain a password. */
async function clientOf(url: string, { passwordFile, ca: caFile }: FleetFlags): Promise<RedisClient> {
  try {
    return await createRedisClient({ url, passwordFile, caFile }, 'fleet')
  } catch (error) {
    if (!(error instanceof ReloadError)) throw error
    const flags = { '`url`': '--redis', '`passwordFile`': '--password-file', '`caFile`': '--ca' }
    const text = Object.entries(flags).reduce(
      (message, [option, flag]) => message.replaceAll(option, flag),
      error.message,
    )
    throw new CommandError(EXIT.usage, text)
  }
}

/** A report, and what it means beside the store. */
interface FleetRow extends ReplicaReport {
  /** `behind`: it serves another version than the one in the store, and has not refused that one. */
  readonly verdict: ReplicaReport['state'] | 'behind'
}

interface FleetTable extends Omit<FleetIdentity, 'replicas'> {
  readonly replicas: readonly FleetRow[]
}

function rowOf(report: ReplicaReport, { version, withdrawn }: FleetIdentity): FleetRow {
  const isBehind = report.state === 'served' && !withdrawn && version !== null && report.version !== version
  return { ...report, verdict: isBehind ? 'behind' : report.state }
}

/** Why the exit code is 1; `null` if every replica serves the same version, which is that of the store. */
function flawOf(tables: readonly FleetTable[]): string[] | null {
  const silent = tables.filter(({ replicas }) => replicas.length === 0).map(({ name }) => name)
  if (tables.length === 0 || silent.length > 0) {
    const what =
      silent.length === 0 ? 'no replica has reported' : `no replica of ${silent.join(', ')} has reported`
    return [
      what,
      'start one with `redisSource`, or correct --prefix and the number of the database in the URL',
    ]
  }
  const all = tables.flatMap(({ replicas }) => replicas)
  const bad = all.filter(({ verdict, hosts }) => verdict !== 'served' || hosts.length > 0)
  if (bad.length > 0) {
    const codes = bad.flatMap(({ problems, hosts }) => [...problems, ...hosts].map(({ code }) => code))
    return [
      `${bad.length} of ${all.length} replicas do not serve the material of the store`,
      ...adviceFor(codes),
    ]
  }
  const versions = tables.filter(({ replicas }) => new Set(replicas.map((one) => one.version)).size > 1)
  if (versions.length === 0) return null
  return [`the replicas of ${versions.map(({ name }) => name).join(', ')} serve different versions`]
}

const STATES: Readonly<Record<FleetRow['verdict'], string>> = {
  served: 'serves the version of the store',
  behind: 'serves another version than the store has',
  refused: 'refused the newer version',
  failing: 'gets no material from the store',
  waiting: 'has served nothing yet',
}

/** Widest line of a terminal. */
const WIDTH = 80
const INDENT = '    '

function tablesOf(tables: readonly FleetTable[], paint: Paint, nowMs: number): string {
  return tables.map((table) => tableOf(table, paint, nowMs)).join('\n')
}

function tableOf({ name, version, withdrawn, replicas }: FleetTable, paint: Paint, nowMs: number): string {
  const store = withdrawn ? 'withdrawn' : version === null ? 'not in the store' : `version ${version}`
  const head = [paint('bold', cut(name, 30)), cut(store, WIDTH - 32)].join('  ')
  const lines = replicas.flatMap((row) => linesOf(row, paint, nowMs))
  return [head, ...lines, ''].join('\n')
}

/** One line of columns, then the reason on lines of its own, which wrap. */
function linesOf(row: FleetRow, paint: Paint, nowMs: number): string[] {
  const since = row.since === null ? '-' : span(nowMs - Date.parse(row.since))
  const columns = [
    cut(row.replica, 22).padEnd(22),
    cut(row.version ?? '-', 26).padEnd(26),
    since.padStart(7),
    `gen ${row.generation ?? '-'}`.padEnd(8),
    paint(row.verdict === 'served' ? 'green' : 'red', row.verdict),
  ]
  const reasons = [
    ...(row.verdict === 'served'
      ? []
      : [`${STATES[row.verdict]}${row.refused === null ? '' : ` ${row.refused}`}`]),
    ...row.problems.map(({ code, message }) => `${code}: ${message}`),
    ...row.hosts.map(({ name, code, message }) => `host ${name}: ${code}: ${message}`),
  ]
  return [`  ${columns.join(' ')}`, ...reasons.flatMap((reason) => wrapped(printable(reason)))]
}

function cut(text: string, length: number): string {
  const shown = printable(text)
  return shown.length > length ? `${shown.slice(0, length - 1)}…` : shown
}

/** Lines of at most 80 columns; a long word is broken. */
function wrapped(text: string): string[] {
  const room = WIDTH - INDENT.length
  return (text.match(new RegExp(`.{1,${room}}(?:\\s|$)|.{1,${room}}`, 'g')) ?? []).map(
    (line) => `${INDENT}${line.trim()}`,
  )
}

const EXITS: Readonly<Partial<Record<SourceErrorCode, number>>> = {
  SOURCE_UNREACHABLE: EXIT.noServer,
  SOURCE_DENIED: EXIT.refused,
  SOURCE_TIMEOUT: EXIT.timedOut,
}

function failure(error: unknown): unknown {
  if (!(error instanceof SourceError)) return error
  const { code, message } = error
  return new CommandError(EXITS[code] ?? EXIT.refused, [`${code}: ${message}`, ...adviceFor([code])])
}
