import type { RedisClient } from './client.js'
import { type Connection, connect } from './connection.js'
import { keysBelow } from './keys.js'
import { parsedReport, type ReplicaReport } from './replica-report.js'

/** An identity, and what its replicas serve. */
export interface FleetIdentity {
  readonly name: string
  /** The version in the store; `null` if there is none. */
  readonly version: string | null
  /** Whether the store states that it was withdrawn. */
  readonly withdrawn: boolean
  readonly replicas: readonly ReplicaReport[]
}

export interface FleetQuestion {
  readonly prefix: string
  /** One identity. @defaultValue every identity with a report */
  readonly identity?: string | undefined
  readonly signal: AbortSignal
}

/** The reports of more replicas are not read. */
const MAX_REPORTS = 10_000
const BATCH = 100

/** What each replica has reported, sorted by name. @throws SourceError */
export async function readFleet(
  client: RedisClient,
  { prefix, identity, signal }: FleetQuestion,
): Promise<FleetIdentity[]> {
  const keys = keysBelow(prefix)
  const connection = await connect(client, signal)
  try {
    const found = await reportsOf(connection, keys.reports(identity), signal)
    // The pattern for `web` also matches keys of the identity `web:eu`.
    const reports = found.filter((report) => identity === undefined || report.identity === identity)
    const named = identity === undefined ? [] : [identity]
    const names = [...new Set([...named, ...reports.map((report) => report.identity)])].sort()
    return await Promise.all(
      names.map(async (name) => {
        const hash = keys.of({ kind: 'identity', name })
        const [version, withdrawn] = asList(
          await connection.command(['HMGET', hash, 'version', 'withdrawn'], signal),
        )
        return {
          name,
          version: version?.toString() ?? null,
          withdrawn: Boolean(withdrawn),
          replicas: reports.filter((report) => report.identity === name).sort(byReplica),
        }
      }),
    )
  } finally {
    connection.end()
  }
}

async function reportsOf(
  connection: Connection,
  pattern: string,
  signal: AbortSignal,
): Promise<ReplicaReport[]> {
  const found = new Set<string>()
  let cursor = '0'
  do {
    const scan = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000']
    const [next, keys] = (await connection.command(scan, signal)) as [Buffer, Buffer[]]
    for (const key of keys) found.add(key.toString())
    cursor = next.toString()
  } while (cursor !== '0' && found.size < MAX_REPORTS)

  const all = [...found].slice(0, MAX_REPORTS)
  const reports: ReplicaReport[] = []
  for (let at = 0; at < all.length; at += BATCH) {
    const values = asList(await connection.command(['MGET', ...all.slice(at, at + BATCH)], signal))
    reports.push(...values.map(parsedReport).filter((report) => report !== null))
  }
  return reports
}

function asList(reply: unknown): (Buffer | null)[] {
  return Array.isArray(reply) ? reply : []
}

function byReplica(a: ReplicaReport, b: ReplicaReport): number {
  return a.replica < b.replica ? -1 : 1
}
