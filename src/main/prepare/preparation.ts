import type { Problem } from '../../workers/base/problem.js'
import type { RecordBytes } from '../../workers/protocol/material.js'
import type {
  PreparedReply,
  PreparedTrust,
  PrepareReply,
  PrepareTask,
} from '../../workers/protocol/prepare.js'
import type { PassFindings } from '../api/result.js'
import { type Records, wipeKeys } from '../generation/generation.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { rehearsedContext } from '../generation/security-level.js'
import { sameTrustPolicy, type TrustPolicy } from '../generation/trust-identity.js'
import type { Worker } from '../threads/pool.js'
import { TaskError } from '../threads/task-error.js'
import { type HostsReport, prepareHosts } from './hosts.js'

/** What the worker is limited of the past. */
export interface PreparationMode {
  /** Those of what is served; `null` before the first load. */
  readonly records: Records | null
  /** What is served; `null` before the first load. */
  readonly trust: PreparedTrust | null
  /** Records of what was rolled back; the timer leaves it alone until its files change. */
  readonly rolledBack: Records | null
  /** As in {@link PrepareTask.requestCert}. */
  readonly requestCert: boolean
  readonly force: boolean
  /** Load whatever is there, even what is served already. */
  readonly fresh: boolean
  /** The `fileWarnings` of the last check. */
  readonly fileWarnings: readonly Problem[]
}

/** What PREPARE came to, over the default certificate with its trust and over the hosts. */
export interface Preparation {
  readonly verdict: 'unchanged' | 'prepared' | 'refused'
  /** The default certificate and the trust, when they are to change. */
  readonly base: PreparedReply | null
  /** The hosts, when any of them is to change. */
  readonly hosts: HostsReport | null
  /** Files whose path does not show what is on disk. They hold whatever the verdict is. */
  readonly fileWarnings: readonly Problem[]
  /** Records that differ from the earlier ones in stamps alone; `null` where none does. */
  readonly newRecords: Records
  readonly findings: PassFindings & { readonly problems: readonly Problem[] }
  /** Whether something was left alone because it was rolled back. */
  readonly isRolledBack: boolean
  /** The record of the rolled-back set to keep from now on; `null` where it is the same. */
  readonly rolledBackRecord: RecordBytes | null
  /** As in {@link PassReport}. */
  readonly pairMismatch: boolean
  readonly failureDigest: string
}

/** PREPARE, all of it, in worker threads. @throws ReloadError as the worker does. */
export async function prepareMaterial(
  worker: Worker,
  options: ResolvedOptions,
  mode: PreparationMode,
): Promise<Preparation> {
  const task = prepareTask(options, mode)
  const base = await prepareDespite(worker, task)
  try {
    const found =
      task.hosts && base.hosts?.kind === 'changed'
        ? await prepareHosts(worker, options, task.hosts, base.hosts, authoritiesIn(base, mode))
        : null
    return judge(base, found, options.policy.hosts === 'together')
  } catch (error) {
    if (base.kind === 'prepared') wipeReply(base)
    throw error
  }
}

/** The trust anchors from this pass on, as far as they are known. */
function authoritiesIn(base: PrepareReply, { trust }: PreparationMode): Uint8Array | null {
  const next = base.kind === 'prepared' && base.material.trust !== 'served' ? base.material.trust : trust
  return next?.authorities?.pem ?? null
}

/** Files that may cost a thread in one pass. */
const MOST_LOST = 8

/**
 * A file over which the thread hung or ended is left alone the next time and refused by name, so that the rest of the
 * material gets its answer. @throws TaskError when no file is to blame, or too many are.
 */
async function prepareDespite(worker: Worker, task: PrepareTask): Promise<PrepareReply> {
  for (let lost = 1; ; lost++) {
    try {
      return await worker.prepare(task)
    } catch (error) {
      if (!(error instanceof TaskError) || error.place === null || lost === MOST_LOST) throw error
    }
  }
}

/** What a worker is asked. */
function prepareTask(
  options: ResolvedOptions,
  { records, rolledBack, requestCert, force, fresh, fileWarnings }: PreparationMode,
): PrepareTask {
  const limits = limitsOf(options)
  const { sources, policy, hosts } = options
  const scan = hosts && {
    sources: hosts,
    limits,
    record: records?.hostsRecord ?? null,
    rolledBack: rolledBack?.hostsRecord ?? null,
    force,
    fresh,
  }
  return {
    sources,
    limits,
    context: rehearsedContext(options),
    requestCert,
    policy,
    force,
    record: records?.record ?? null,
    rolledBack: rolledBack?.record ?? null,
    fresh,
    hosts: scan,
    fileWarnings,
  }
}

/** Says of sessions what the worker cannot know: the options of what is served are not in its record. */
export function withPolicies(found: Preparation, before: TrustPolicy, next: TrustPolicy): Preparation {
  const { diff } = found.findings
  if (!diff?.sessionsSurvive || sameTrustPolicy(before, next)) return found
  return { ...found, findings: { ...found.findings, diff: { ...diff, sessionsSurvive: false } } }
}

/** Overwrites the secrets in what is not going to be served. The pass owns them until then (`PreparedPair`). */
export function discard({ base, hosts }: Preparation): void {
  if (base) wipeReply(base)
  if (hosts) wipeKeys(hosts.hosts.map(({ pair }) => pair))
}

function wipeReply({ material }: PreparedReply): void {
  wipeKeys(material.pairs)
  material.ticketSecret?.fill(0)
}

/** Together, one problem keeps everything as it is; independent, what is well moves on. */
function judge(base: PrepareReply, hosts: HostsReport | null, together: boolean): Preparation {
  const problems = [...(base.kind === 'refused' ? base.problems : []), ...(hosts?.problems ?? [])]
  const hostsMove = hosts !== null && hosts.hosts.length + hosts.removed.length > 0
  const moves = base.kind === 'prepared' || hostsMove
  const refused = problems.length > 0 && (together || !moves)
  const answered = base.kind === 'unchanged' || base.kind === 'rolled-back' ? null : base
  return {
    verdict: refused ? 'refused' : moves ? 'prepared' : 'unchanged',
    base: base.kind === 'prepared' ? base : null,
    hosts: hostsMove ? hosts : null,
    fileWarnings: base.fileWarnings ?? [],
    newRecords: {
      record: base.kind === 'unchanged' ? base.record : null,
      hostsRecord: hosts !== null && !hostsMove ? hosts.record : null,
    },
    findings: {
      problems,
      warnings: [...(answered?.warnings ?? []), ...(hosts?.warnings ?? [])],
      changed: [...(answered?.changed ?? []), ...(hosts?.changed ?? [])],
      diff: base.kind === 'prepared' ? base.diff : null,
    },
    isRolledBack:
      base.kind === 'rolled-back' ||
      (base.kind === 'prepared' && base.rolledBack !== null) ||
      base.hosts?.kind === 'rolled-back' ||
      hosts?.isRolledBack === true,
    rolledBackRecord: base.kind === 'rolled-back' || base.kind === 'prepared' ? base.rolledBack : null,
    pairMismatch: problems.length > 0 && problems.every(({ code }) => code === 'CERT_KEY_MISMATCH'),
    failureDigest:
      problems.length > 0
        ? `${base.kind === 'refused' ? base.failureDigest : ''} ${hosts?.failureDigest ?? ''}`.trim()
        : '',
  }
}

function limitsOf({ worker: { maxFileBytes, maxCrlBytes } }: ResolvedOptions): PrepareTask['limits'] {
  return { maxFileBytes, maxTrustBytes: maxFileBytes * TRUST_FACTOR, maxCrlBytes }
}

/** Trust stores and revocation lists may be this many times as large as a certificate file. */
const TRUST_FACTOR = 16
