import { z } from 'zod'

import type { SourceReport } from '../../api/source.js'

/** What one replica serves of an identity, and the reason if it is not the newest version: the JSON of a report. */
export interface ReplicaReport {
  readonly replica: string
  readonly identity: string
  /** The version in service; `null` before the first. */
  readonly version: string | null
  /** Since when it is in service, ISO 8601. */
  readonly since: string | null
  /** Number of the generation in service, counted by each process. */
  readonly generation: number | null
  /** `waiting`: nothing was delivered yet; `refused`: a newer delivery was refused; `failing`: the store gives no delivery. */
  readonly state: 'waiting' | 'served' | 'refused' | 'failing'
  /** The version that was refused. */
  readonly refused: string | null
  readonly problems: readonly ReportedProblem[]
  /** SNI hosts whose last delivery was refused, at most 16. */
  readonly hosts: readonly RefusedHost[]
}

/** A problem in a report. */
export interface ReportedProblem {
  readonly code: string
  readonly message: string
}

/** An SNI host in a report. */
export interface RefusedHost extends ReportedProblem {
  readonly name: string
  readonly version: string
}

const MAX_PROBLEMS = 8
const MAX_HOSTS = 16
const MAX_MESSAGE = 500
/** A longer value is not a report. */
const MAX_BYTES = 64 * 1024

export function waitingReport(identity: string, replica: string): ReplicaReport {
  return {
    ...{ replica, identity, version: null, since: null, generation: null },
    ...{ state: 'waiting', refused: null, problems: [], hosts: [] },
  }
}

/** The report after an outcome. */
export function reportAfter(
  before: ReplicaReport,
  { host, outcome, version, ...rest }: SourceReport,
): ReplicaReport {
  if (host !== null) {
    const without = reportWithout(before, host)
    if (outcome === 'served') return without
    const [problem] = rest.problems.map(shortened)
    const refused = { code: '', message: '', ...problem, name: host, version }
    return { ...before, hosts: [...without.hosts, refused].slice(-MAX_HOSTS) }
  }
  if (outcome === 'served') {
    const since = version === before.version ? (before.since ?? rest.at) : rest.at
    const generation = rest.generation
    return { ...before, version, since, generation, state: 'served', refused: null, problems: [] }
  }
  const problems = rest.problems.slice(0, MAX_PROBLEMS).map(shortened)
  return { ...before, generation: rest.generation, state: 'refused', refused: version, problems }
}

/** The report when nothing newer than the served material of this host is in the store, or the host was withdrawn. */
export function reportWithout(before: ReplicaReport, host: string): ReplicaReport {
  const hosts = before.hosts.filter(({ name }) => name !== host)
  return hosts.length === before.hosts.length ? before : { ...before, hosts }
}

/** The report while the store gives no delivery; a refused delivery is the more important news. */
export function reportDuring(before: ReplicaReport, failures: readonly ReportedProblem[]): ReplicaReport {
  if (before.state === 'refused' || failures.length === 0) return before
  return { ...before, state: 'failing', problems: failures.map(shortened) }
}

/** A report from the store; `null` if it is none. */
export function parsedReport(value: Buffer | null): ReplicaReport | null {
  if (value === null || value.length > MAX_BYTES) return null
  try {
    return schema.parse(JSON.parse(value.toString())) as ReplicaReport
  } catch {
    return null
  }
}

const problemSchema = z.object({ code: z.string(), message: z.string() })

const schema = z.object({
  replica: z.string(),
  identity: z.string(),
  version: z.string().nullable(),
  since: z.string().nullable(),
  generation: z.number().nullable(),
  state: z.enum(['waiting', 'served', 'refused', 'failing']),
  refused: z.string().nullable(),
  problems: z.array(problemSchema),
  hosts: z.array(problemSchema.extend({ name: z.string(), version: z.string() })),
})

function shortened({ code, message }: ReportedProblem): ReportedProblem {
  return { code, message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message }
}
