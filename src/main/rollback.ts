import { z } from 'zod'

import { deepFreeze } from './deep-freeze.js'
import { ReloadError } from './errors.js'
import { concernsTrust, type Snapshot } from './generation/generation.js'
import type { PassReport } from './pass-report.js'
import type { GenerationFacts } from './prepare/next-snapshot.js'
import type { Preparation, Records } from './prepare/preparation.js'
import { refusal } from './refusal.js'
import type { ResolvedOptions } from './resolve-options.js'
import type { Restored } from './result.js'

/** Options of {@link ReloadEngine.rollback}. */
export interface RollbackOptions {
  /**
   * Number of the generation to serve again.
   * @defaultValue the generation before the one that is served
   */
  readonly generation?: number
  /**
   * Also restores the trust of that generation: trust anchors, revocation lists, `requestCert`, `rejectUnauthorized`,
   * `tls.allowPartialTrustChain`, the ticket secret, and the paths of `ca`, `caDir` and `crl`. Without it the trust that is
   * in force stays in force, so that a rollback never lets a revoked certificate or a removed CA back in.
   * @defaultValue `false`
   */
  readonly trust?: boolean
}

const schema = z.strictObject({ generation: z.number().optional(), trust: z.boolean().optional() })

/** @throws ReloadError `OPTIONS_INVALID` */
export function resolveRollback(input: number | RollbackOptions = {}): RollbackOptions {
  const options = typeof input === 'number' ? { generation: input } : input
  const parsed = schema.safeParse(options)
  if (parsed.success) return options
  throw new ReloadError('OPTIONS_INVALID', refusal(parsed.error.issues, options, 'rollback'))
}

/** What a rollback serves, without a number, and what it says of itself. */
export interface RestoredSnapshot {
  readonly snapshot: Omit<Snapshot, 'generation'>
  readonly facts: GenerationFacts
}

/** A kept generation as it was, its trust included. */
export function withItsTrust(target: Snapshot): RestoredSnapshot {
  const { generation, ...snapshot } = target
  return { snapshot, facts: { ...generation, trustRestored: generation.trustRestored ?? generation.number } }
}

/** The certificates, hosts and other options of a kept generation, with the trust that is in force. */
export function withTrustOf(served: Snapshot, target: Snapshot): RestoredSnapshot {
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
    },
    facts: {
      ...generation,
      trust: served.generation.trust,
      trustRestored: served.generation.trustRestored,
      warnings,
    },
  }
}

/** The report of a rollback that was applied, with what it brought back. */
export function withRestored({ result, ...report }: PassReport, restored: Restored): PassReport {
  return { ...report, result: deepFreeze({ ...result, restored }) }
}

/** What stays held after a check by the timer has applied something: the parts that it left alone. */
export function heldAfter(held: Records | null, { base, heldRecord, hosts }: Preparation): Records | null {
  return (
    held && {
      record: heldRecord ?? (base ? null : held.record),
      hostsRecord: hosts ? hosts.held : held.hostsRecord,
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
