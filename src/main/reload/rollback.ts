import { z } from 'zod'

import type { Generation } from '../api/generation.js'
import type { RollbackOptions } from '../api/reload-engine.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { ReloadError } from '../base/errors.js'
import { refusal } from '../base/refusal.js'
import { concernsTrust, type Records, type Snapshot } from '../generation/generation.js'
import type { History } from '../generation/history.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import type { GenerationFacts } from '../prepare/next-snapshot.js'
import type { Preparation } from '../prepare/preparation.js'
import type { PassReport } from './pass-report.js'

const schema = z.strictObject({ generation: z.number().optional(), trust: z.boolean().optional() })

/** @throws ReloadError `OPTIONS_INVALID` */
export function resolveRollback(input: number | RollbackOptions = {}): RollbackOptions {
  const options = typeof input === 'number' ? { generation: input } : input
  const parsed = schema.safeParse(options)
  if (parsed.success) return options
  throw new ReloadError('OPTIONS_INVALID', refusal(parsed.error.issues, options, 'rollback'))
}

/** A generation without its number, and what decides whether it may still be committed. */
export interface Candidate {
  readonly snapshot: Omit<Snapshot, 'generation'>
  readonly facts: GenerationFacts & Pick<Generation, 'restored'>
  /** What was served when the candidate was put together: it is relative to that. */
  readonly base: Snapshot
  /** Whether the candidate can still be served at all. */
  readonly isKept: () => boolean
}

/** What a rollback serves. */
type RestoredSnapshot = Pick<Candidate, 'snapshot' | 'facts'>

/** What a rollback needs of the reloader. */
export interface RollbackParts {
  readonly history: History
  readonly served: () => Snapshot
  /** Takes a generation through STAGE, COMMIT and VERIFY, unless its base is no longer served, or it is no longer kept. */
  readonly serve: (candidate: Candidate) => Promise<PassReport>
  /** Whether nothing newer than this rollback has been committed. */
  readonly mayFollow: () => boolean
}

/**
 * Serves a kept generation again. If another generation is committed while this one is staged, it is put together again:
 * trust that was kept must be the trust that is in force at the commit.
 *
 * @throws ReloadError `GENERATION_UNKNOWN`, `OPTIONS_INVALID` or `CLOSED`.
 */
export async function rollBack(
  { generation, trust = false }: RollbackOptions,
  { history, served, serve, mayFollow }: RollbackParts,
): Promise<PassReport> {
  const target = generation === undefined ? history.snapshots[0] : history.find(generation)
  const isKept = () => target !== undefined && history.snapshots.includes(target)
  for (;;) {
    // The keys of a generation that is not kept any more have been overwritten.
    if (!target || !isKept()) throw history.unknown(generation)
    const base = served()
    const next = trust ? withItsTrust(base, target) : withTrustOf(base, target)
    const report = await serve({ ...next, base, isKept })
    if (report.result.outcome === 'applied') {
      const restored = { generation: target.generation.number, trust: trust ? 'restored' : 'kept' } as const
      return { ...report, result: deepFreeze({ ...report.result, restored }) }
    }
    if (base.generation === served().generation || !mayFollow()) return report
  }
}

/** A kept generation as it was, its trust included. */
function withItsTrust(served: Snapshot, target: Snapshot): RestoredSnapshot {
  const { generation, ...kept } = target
  const { number: restored, trustRestored } = generation
  return {
    snapshot: { ...kept, rolledBack: recordsOf(served) },
    facts: { ...generation, restored, trustRestored: trustRestored ?? restored },
  }
}

/** The certificates, hosts and other options of a kept generation, with the trust that is in force. */
function withTrustOf(served: Snapshot, target: Snapshot): RestoredSnapshot {
  const { trust, ticketSecret } = served.material
  const { head } = target.record
  const { generation, ...kept } = target
  const warnings = [
    ...generation.warnings.filter((warning) => !concernsTrust(warning)),
    ...served.generation.warnings.filter(concernsTrust),
  ]
  return {
    snapshot: {
      ...kept,
      material: { ...target.material, trust, ticketSecret },
      record: { ...served.record, head },
      options: optionsWithTrustOf(served.options, target.options),
      rolledBack: recordsOf(served),
    },
    facts: {
      ...generation,
      restored: generation.number,
      trust: served.generation.trust,
      trustRestored: served.generation.trustRestored,
      warnings,
    },
  }
}

function recordsOf({ record, hostsRecord }: Snapshot): Records {
  return { record, hostsRecord }
}

/** What stays rolled back after a check by the timer has applied something: the parts that the check left alone. */
export function stillRolledBack(
  { rolledBack }: Snapshot,
  { base, rolledBackRecord, hosts }: Preparation,
): Records | null {
  return (
    rolledBack && {
      record: rolledBackRecord ?? (base ? null : rolledBack.record),
      hostsRecord: hosts ? hosts.rolledBack : rolledBack.hostsRecord,
    }
  )
}

function optionsWithTrustOf(served: ResolvedOptions, target: ResolvedOptions): ResolvedOptions {
  if (served === target) return served
  const { ca, caDir, crl, ticketSecret } = served.sources
  const { allowPartialTrustChain } = served.context
  const { allowPartialTrustChain: before, ...context } = target.context
  return {
    ...target,
    sources: { ...target.sources, ca, caDir, crl, ticketSecret },
    peers: served.peers,
    // The same object where nothing differs: contexts and spares are kept by it.
    context:
      before === allowPartialTrustChain
        ? target.context
        : { ...context, ...(allowPartialTrustChain === undefined ? {} : { allowPartialTrustChain }) },
  }
}
