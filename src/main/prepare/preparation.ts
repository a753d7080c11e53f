import type { Problem } from '../../workers/base/problem.js'
import type { DeliveredHosts, DeliveredSet } from '../../workers/protocol/delivery.js'
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

/** The state that a preparation is relative to, and its mode. */
export interface PreparationMode {
  /** Records of the served set; `null` before the first load. */
  readonly records: Records | null
  /** The served trust; `null` before the first load. */
  readonly trust: PreparedTrust | null
  /** Records of the set that was rolled back, which checks ignore until its files change. */
  readonly rolledBack: Records | null
  /** As in {@link PrepareTask.requestCert}. */
  readonly requestCert: boolean
  readonly force: boolean
  /** Whether to load all files, even unchanged ones. */
  readonly fresh: boolean
  /** The `fileWarnings` of the last check. */
  readonly fileWarnings: readonly Problem[]
  /** The material of a source; `null` without a source. */
  readonly delivery: { readonly set: DeliveredSet; readonly hosts: DeliveredHosts | null } | null
}

/** The result of PREPARE for the default certificate, its trust and the hosts. */
export interface Preparation {
  readonly verdict: 'unchanged' | 'prepared' | 'refused'
  /** The default certificate and the trust, if they change. */
  readonly base: PreparedReply | null
  /** The hosts, if any of them changes. */
  readonly hosts: HostsReport | null
  /** Files whose path does not show what is on disk. Independent of the verdict. */
  readonly fileWarnings: readonly Problem[]
  /** Records that differ from the earlier ones only in stamps; `null` if none does. */
  readonly newRecords: Records
  readonly findings: PassFindings & { readonly problems: readonly Problem[] }
  /** Whether a part was skipped because it was rolled back. */
  readonly isRolledBack: boolean
  /** The new record of the rolled-back set; `null` if it is unchanged. */
  readonly rolledBackRecord: RecordBytes | null
  /** As in {@link PassReport}. */
  readonly pairMismatch: boolean
  readonly failureDigest: string
}

/** Runs PREPARE in worker threads. @throws ReloadError as the worker does. */
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
        ? await prepareHosts(worker, options, task.hosts, base.hosts, {
            authorities: authoritiesIn(base, mode),
            delivered: mode.delivery?.hosts?.sets ?? null,
          })
        : null
    return judge(base, found, options.policy.hosts === 'together')
  } catch (error) {
    if (base.kind === 'prepared') wipeReply(base)
    throw error
  }
}

/** The trust anchors after this pass, as far as they are known. */
function authoritiesIn(base: PrepareReply, { trust }: PreparationMode): Uint8Array | null {
  const next = base.kind === 'prepared' && base.material.trust !== 'served' ? base.material.trust : trust
  return next?.authorities?.pem ?? null
}

/** Limit of threads lost in one pass. */
const MAX_LOST = 8

/**
 * Repeats the task when a file made the thread hang or end: that file is then in quarantine and refused with its path, so that
 * the rest is prepared. @throws TaskError if no file is the cause, or too many are.
 */
async function prepareDespite(worker: Worker, task: PrepareTask): Promise<PrepareReply> {
  for (let lost = 1; ; lost++) {
    try {
      return await worker.prepare(task)
    } catch (error) {
      if (!(error instanceof TaskError) || error.place === null || lost === MAX_LOST) throw error
    }
  }
}

function prepareTask(
  options: ResolvedOptions,
  { records, rolledBack, requestCert, force, fresh, fileWarnings, delivery }: PreparationMode,
): PrepareTask {
  const limits = limitsOf(options)
  const { sources, policy, hosts } = options
  // A delivery that states nothing about hosts changes none.
  const isScanned = delivery === null || delivery.hosts !== null
  const scan = hosts &&
    isScanned && {
      sources: hosts,
      delivered: delivery?.hosts ?? null,
      limits,
      record: records?.hostsRecord ?? null,
      rolledBack: rolledBack?.hostsRecord ?? null,
      force,
      fresh,
    }
  return {
    sources,
    delivered: delivery?.set ?? null,
    limits,
    context: rehearsedContext(options),
    requestCert,
    policy,
    force,
    record: records?.record ?? null,
    rolledBack: rolledBack?.record ?? null,
    fresh,
    hosts: scan || null,
    fileWarnings,
  }
}

/** Corrects `sessionsSurvive` for changed options, which the worker's record does not contain. */
export function withPolicies(found: Preparation, before: TrustPolicy, next: TrustPolicy): Preparation {
  const { diff } = found.findings
  if (!diff?.sessionsSurvive || sameTrustPolicy(before, next)) return found
  return { ...found, findings: { ...found.findings, diff: { ...diff, sessionsSurvive: false } } }
}

/** Overwrites the secrets of material that will not be served. The pass owns them until then (`PreparedPair`). */
export function discard({ base, hosts }: Preparation): void {
  if (base) wipeReply(base)
  if (hosts) wipeKeys(hosts.hosts.map(({ pair }) => pair))
}

function wipeReply({ material }: PreparedReply): void {
  wipeKeys(material.pairs)
  material.ticketSecret?.fill(0)
}

/** With `policy.hosts: 'together'`, one problem refuses everything; otherwise the parts without problems are applied. */
function judge(base: PrepareReply, hosts: HostsReport | null, together: boolean): Preparation {
  const problems = [...(base.kind === 'refused' ? base.problems : []), ...(hosts?.problems ?? [])]
  const hostsChange = hosts !== null && hosts.hosts.length + hosts.removed.length > 0
  const changes = base.kind === 'prepared' || hostsChange
  const refused = problems.length > 0 && (together || !changes)
  const answered = base.kind === 'unchanged' || base.kind === 'rolled-back' ? null : base
  return {
    verdict: refused ? 'refused' : changes ? 'prepared' : 'unchanged',
    base: base.kind === 'prepared' ? base : null,
    hosts: hostsChange ? hosts : null,
    fileWarnings: base.fileWarnings ?? [],
    newRecords: {
      record: base.kind === 'unchanged' ? base.record : null,
      hostsRecord: hosts !== null && !hostsChange ? hosts.record : null,
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

/** The size limits of one engine. */
export function limitsOf({ worker: { maxFileBytes, maxCrlBytes } }: ResolvedOptions): PrepareTask['limits'] {
  return { maxFileBytes, maxTrustBytes: maxFileBytes * TRUST_FACTOR, maxCrlBytes }
}

/** Size limit of trust stores and revocation lists, as a multiple of the limit of a certificate file. */
const TRUST_FACTOR = 16
