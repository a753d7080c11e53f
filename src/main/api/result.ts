import type { Problem } from '../../workers/base/problem.js'
import type { CertificateFacts } from '../../workers/protocol/material.js'
import type { MaterialDiff } from '../../workers/protocol/prepare.js'
import { deepFreeze } from '../base/deep-freeze.js'
import type { Generation, Trigger } from './generation.js'
import type { MemberResult } from './members.js'

/**
 * Outcome of a pass. `applied`: a new generation is in service. `unchanged`: the files match the served generation.
 * `waiting-for-pair`: certificate and key do not match yet; the engine checks again automatically. `rejected`: see
 * `problems`; nothing changed. `validated`: a dry run that would have been applied.
 */
export type Outcome = 'unchanged' | 'applied' | 'waiting-for-pair' | 'rejected' | 'validated'

/** The served certificates: the first pair, and the others if there are any. */
export interface ServingFacts extends CertificateFacts {
  readonly alternates: readonly CertificateFacts[]
}

/** Numbers of SNI hosts after a pass. */
export interface HostCounts {
  readonly served: number
  readonly changed: number
  readonly removed: number
}

/** Duration of each phase in milliseconds; 0 for a phase that was not reached. */
export interface PhaseTimings {
  /** In the worker, including the transfer of task and reply. */
  readonly prepareMs: number
  /** On the main thread, including the turns of the event loop in between. */
  readonly stageMs: number
  readonly commitMs: number
  /** In the worker, which dials every listener. */
  readonly verifyMs: number
  readonly totalMs: number
  /** The longest time for which the main thread was blocked in one turn. */
  readonly longestSliceMs: number
}

/**
 * Whether the certificates that clients receive were compared after the swap. `done`: every listener was dialled. `skipped`: no
 * server listens, or `verifyServed` is off. `not-applicable`: the engine is for outgoing connections (`purpose: 'client'`).
 * `not-reached`: nothing was swapped.
 */
export type Verification = 'done' | 'skipped' | 'not-applicable' | 'not-reached'

/** The result of one pass. Frozen, plain data, without secrets. */
export interface ReloadResult {
  readonly outcome: Outcome
  readonly trigger: Trigger
  /** Number of the generation that is served after the pass. */
  readonly generation: number
  readonly serving: ServingFacts
  /** Reasons for a refusal. With `applied`: parts that were refused while the rest was applied, for example SNI hosts. */
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** Paths of files that differ from the served material. */
  readonly changed: readonly string[]
  /** Numbers of SNI hosts; `null` without the option. */
  readonly hosts: HostCounts | null
  /** The result of each member of a fleet; empty without a fleet. */
  readonly members: readonly MemberResult[]
  /** What the new material changes; `null` if none was accepted. */
  readonly diff: MaterialDiff | null
  /** What a rollback restored; `null` for every other trigger, and if the rollback was refused. */
  readonly restored: Restored | null
  /** What VERIFY did. */
  readonly verification: Verification
  readonly timings: PhaseTimings
}

/** What a rollback restored. */
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
  /** The id of its SNI host, a name or directory; `null` for the default certificate. */
  readonly host: string | null
}

export function servingOf({ certificates }: Generation): ServingFacts {
  const [first, ...alternates] = certificates as [CertificateFacts, ...CertificateFacts[]]
  return deepFreeze({ ...first, alternates })
}

/** The findings of a pass, as far as it got. */
export type PassFindings = Partial<
  Pick<
    ReloadResult,
    'problems' | 'warnings' | 'changed' | 'diff' | 'hosts' | 'members' | 'restored' | 'verification'
  >
>
