import type { Problem } from '../../workers/base/problem.js'
import type { CertificateFacts } from '../../workers/protocol/material.js'
import type { MaterialDiff } from '../../workers/protocol/prepare.js'
import { deepFreeze } from '../base/deep-freeze.js'
import type { Generation, Trigger } from './generation.js'
import type { MemberResult } from './members.js'

/**
 * How a pass ended. `applied`: a new generation serves. `unchanged`: the files say what is served. `waiting-for-pair`:
 * certificate and key do not match (yet), the engine looks again by itself. `rejected`: see `problems`; nothing
 * changed. `validated`: a dry run that would have been applied.
 */
export type Outcome = 'unchanged' | 'applied' | 'waiting-for-pair' | 'rejected' | 'validated'

/** What is being served: the first pair, and the others when there are any. */
export interface ServingFacts extends CertificateFacts {
  readonly alternates: readonly CertificateFacts[]
}

/** SNI hosts after a pass. */
export interface HostCounts {
  readonly served: number
  readonly changed: number
  readonly removed: number
}

/** Milliseconds by phase; 0 for a phase that was not reached. */
export interface PhaseTimings {
  /** In the worker, the way there and back included. */
  readonly prepareMs: number
  /** On the main thread, the turns in between included. */
  readonly stageMs: number
  readonly commitMs: number
  /** In the worker: every listener dialled. */
  readonly verifyMs: number
  readonly totalMs: number
  /** The longest that the main thread was held in one turn. */
  readonly longestSliceMs: number
}

/** The answer to one pass. Frozen, plain data, no secret in it. */
export interface ReloadResult {
  readonly outcome: Outcome
  readonly trigger: Trigger
  /** The generation that serves after the pass. */
  readonly generation: number
  readonly serving: ServingFacts
  /**
   * Why it was refused. With `applied`: what was left as it was while the rest moved on, an SNI host for instance.
   */
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** Paths that differ from what is served. */
  readonly changed: readonly string[]
  /** SNI hosts, by number; `null` without the option. */
  readonly hosts: HostCounts | null
  /** What each process or thread of a fleet came to; empty without one. */
  readonly members: readonly MemberResult[]
  /** What the new material changes; `null` when none was accepted. */
  readonly diff: MaterialDiff | null
  /** What a rollback brought back; `null` for every other trigger, and when the rollback was refused. */
  readonly restored: Restored | null
  readonly timings: PhaseTimings
}

/** What a rollback brought back. */
export interface Restored {
  /** The generation whose certificates and hosts are served again. */
  readonly generation: number
  /**
   * Which trust (CAs, revocation lists, client-certificate policy, ticket secret) is in force now: `kept` is the trust
   * that was in force before the rollback, `restored` is the trust of `generation`.
   */
  readonly trust: 'kept' | 'restored'
}

/** The certificate for one server name. */
export interface NamedFacts extends CertificateFacts {
  /** The SNI host that it is of, by its name or directory; `null` for the default certificate. */
  readonly host: string | null
}

export function servingOf({ certificates }: Generation): ServingFacts {
  const [first, ...alternates] = certificates as [CertificateFacts, ...CertificateFacts[]]
  return deepFreeze({ ...first, alternates })
}

/** What a pass found, as far as it came. */
export type PassFindings = Partial<
  Pick<ReloadResult, 'problems' | 'warnings' | 'changed' | 'diff' | 'hosts' | 'members' | 'restored'>
>
