import { z } from 'zod'

import type { Generation } from '../api/generation.js'
import type { RollbackOptions } from '../api/reload-engine.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { ReloadError } from '../base/errors.js'
import { refusal, WORDED } from '../base/refusal.js'
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
  const parsed = schema.safeParse(options, WORDED)
  if (parsed.success) return options
  throw new ReloadError('OPTIONS_INVALID', refusal(parsed.error.issues, options, 'rollback'))
}

/** A generation without its number, and the conditions under which it may be committed. */
export interface Candidate {
  readonly snapshot: Omit<Snapshot, 'generation'>
  readonly facts: GenerationFacts & Pick<Generation, 'restored'>
  /** The snapshot that was served when the candidate was made, and that it is based on. */
  readonly base: Snapshot
  /** Whether the restored generation is still kept, so that its keys still exist. */
  readonly isKept: () => boolean
}

type RestoredSnapshot = Pick<Candidate, 'snapshot' | 'facts'>

export interface RollbackParts {
  readonly history: History
  readonly served: () => Snapshot
  /** Runs STAGE, COMMIT and VERIFY, unless the base is no longer served or the generation is no longer kept. */
  readonly serve: (candidate: Candidate) => Promise<PassReport>
  /** Whether no newer pass than this rollback has committed. */
  readonly mayFollow: () => boolean
}

/**
 * Serves a kept generation again. If another generation is committed while this one is staged, it is made again, because the
 * trust that is kept must be the trust in force at the commit.
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
    // Without `isKept`, the keys have been overwritten.
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

/** A kept generation with its own trust. */
function withItsTrust(served: Snapshot, target: Snapshot): RestoredSnapshot {
  const { generation, ...kept } = target
  const { number: restored, trustRestored } = generation
  return {
    snapshot: { ...kept, rolledBack: recordsOf(served) },
    facts: { ...generation, restored, trustRestored: trustRestored ?? restored },
  }
}

/** A kept generation with the trust in force. */
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

/** The records that stay rolled back after a check has applied something: those of the parts that it did not change. */
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
  const { ca, publicRoots, caDir, crl, peerRules, ticketSecret } = served.sources
  const { allowPartialTrustChain } = served.context
  const { allowPartialTrustChain: before, ...context } = target.context
  return {
    ...target,
    sources: { ...target.sources, ca, publicRoots, caDir, crl, peerRules, ticketSecret },
    peers: served.peers,
    // The same object if nothing differs, because contexts and spares are keyed by it.
    context:
      before === allowPartialTrustChain
        ? target.context
        : { ...context, ...(allowPartialTrustChain === undefined ? {} : { allowPartialTrustChain }) },
  }
}
