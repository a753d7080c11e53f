import { isoTime } from '../../workers/base/iso-time.js'
import type { Problem } from '../../workers/base/problem.js'
import type { Generation, HostFacts } from '../api/generation.js'
import { concernsTrust, type Snapshot } from '../generation/generation.js'
import { HostTable, type SoonestHost } from '../generation/host-table.js'
import { NameClaims } from '../generation/name-claims.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { runInSlices, type SliceGauge } from '../generation/slices.js'
import { hostWarnings } from './host-warnings.js'
import type { HostsReport } from './hosts.js'
import type { Preparation } from './preparation.js'

/** The facts of a generation that has no number yet. */
export type GenerationFacts = Pick<
  Generation,
  'certificates' | 'trust' | 'trustRestored' | 'hosts' | 'warnings'
>

/** A generation that is ready to be staged, and the warnings that were found while it was made. */
export interface NextSnapshot {
  readonly snapshot: Omit<Snapshot, 'generation' | 'rolledBack'>
  readonly facts: GenerationFacts
  readonly warnings: readonly Problem[]
}

/**
 * Makes the next snapshot from prepared material, and from the served snapshot for the rest.
 *
 * @param before `null` at the first load, which always prepares a default certificate.
 */
export async function nextSnapshot(
  { base, hosts, newRecords, findings, fileWarnings }: Preparation,
  before: Snapshot | null,
  options: ResolvedOptions,
  gauge: SliceGauge,
): Promise<NextSnapshot> {
  const { certificates, trust } = base ?? (before as Snapshot).generation
  const claims = new NameClaims(options.policy.nameClaims, certificates)
  const table = await tableAfter(hosts, before, options, claims, gauge)
  const isListed = table !== before?.hosts
  const loaded = hosts?.hosts ?? []
  const warnings = isListed
    ? await runInSlices(hostWarnings(table, loaded, certificates, undefined, base !== null), gauge)
    : []
  // Warnings about material that was not loaded again still hold.
  const isKept = (warning: Problem) => !base || (concernsTrust(warning) ? keepsTrust(base) : keepsPairs(base))
  const kept = (before?.generation.warnings ?? []).filter(
    (warning) => warning.host === undefined && isKept(warning),
  )
  return {
    snapshot: {
      material: base ? materialOf(base, before) : (before as Snapshot).material,
      record: base?.record ?? newRecords.record ?? (before as Snapshot).record,
      hosts: table,
      hostsRecord: hosts?.record ?? newRecords.hostsRecord ?? before?.hostsRecord ?? null,
      options,
      fileWarnings,
    },
    facts: {
      certificates,
      trust,
      trustRestored: base ? null : (before?.generation.trustRestored ?? null),
      hosts: options.hosts && hostFacts(table, before),
      warnings: [...kept, ...(findings.warnings ?? []), ...warnings],
    },
    warnings,
  }
}

function keepsTrust({ material }: NonNullable<Preparation['base']>): boolean {
  return material.trust === 'served'
}

function keepsPairs({ material }: NonNullable<Preparation['base']>): boolean {
  return material.pairs.length === 0
}

/** Material that the worker did not send again is taken from the snapshot that was served when the pass began. */
function materialOf(
  { material }: NonNullable<Preparation['base']>,
  before: Snapshot | null,
): Snapshot['material'] {
  const trust = material.trust === 'served' ? before?.material.trust : material.trust
  const kept = { ...material, trust: trust as Snapshot['material']['trust'] }
  if (material.pairs.length > 0) return kept
  const { pairs, dhparam } = (before as Snapshot).material
  return { ...kept, pairs, dhparam }
}

async function tableAfter(
  hosts: HostsReport | null,
  before: Snapshot | null,
  options: ResolvedOptions,
  claims: NameClaims,
  gauge: SliceGauge,
): Promise<HostTable> {
  if (options.hosts === null) return HostTable.empty
  const table = before?.hosts ?? HostTable.empty
  // With other claims, also after a renewal of the default certificate, names may move to other hosts.
  if (!hosts && (table.byId.size === 0 || table.claims.key === claims.key)) return table
  return await runInSlices(table.after(hosts?.hosts ?? [], hosts?.removed ?? [], claims), gauge)
}

function hostFacts(table: HostTable, before: Snapshot | null): HostFacts {
  if (before?.hosts === table && before.generation.hosts) return before.generation.hosts
  const soonest = table.soonest('leaf')
  if (!soonest) return { count: 0, soonest: null, soonestChain: null }
  const { fingerprint256, notBefore, notAfter } = soonest.host.facts
  const datesOf = ({ host, fromMs, toMs }: SoonestHost) => {
    return { id: host.id, notBefore: isoTime(fromMs), notAfter: isoTime(toMs) }
  }
  const [chain, ocsp] = [table.soonest('chain'), table.soonest('ocsp')]
  return {
    count: table.byId.size,
    soonest: { id: soonest.host.id, fingerprint256, notBefore, notAfter },
    soonestChain: chain && datesOf(chain),
    ...(ocsp ? { soonestOcsp: datesOf(ocsp) } : {}),
  }
}
