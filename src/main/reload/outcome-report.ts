import type { Problem } from '../../workers/base/problem.js'
import type { Trigger } from '../api/generation.js'
import type { MemberResult } from '../api/members.js'
import type { Outcome, Verification } from '../api/result.js'
import type { Snapshot } from '../generation/generation.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { hostCounts } from '../prepare/hosts.js'
import type { Preparation } from '../prepare/preparation.js'
import { withEvictions } from './eviction-report.js'
import type { EvictionReport } from './fleet.js'
import { type PassReport, problemsOf, resultOf } from './pass-report.js'
import type { PhaseTimer } from './phase-timer.js'

interface PassDetails {
  /** Absent for a rollback, and for a request that had nothing to load. */
  readonly found: Preparation | undefined
  /** Warnings from the phases after the preparation. */
  readonly warnings: readonly Problem[]
  readonly members: readonly MemberResult[]
  readonly evictions: EvictionReport
}

/** The report of a pass that ended regularly. The first parameter is the snapshot that is served after it. */
export function outcomeReport(
  { generation, fileWarnings: known, options }: Snapshot,
  outcome: Outcome,
  trigger: Trigger,
  timer: PhaseTimer,
  { found, warnings, members, evictions }: PassDetails,
): PassReport {
  const { pairMismatch = false, isRolledBack = false, failureDigest = '', fileWarnings = known } = found ?? {}
  const findings = {
    ...found?.findings,
    ...withEvictions(evictions, outcome, found?.findings.problems ?? [], [
      ...(found?.findings.warnings ?? []),
      ...warnings,
      ...fileWarnings,
    ]),
    hosts: hostCounts(generation.hosts, found?.hosts ?? null),
    members,
    ...(outcome === 'applied' && { verification: verificationOf(options, timer) }),
  }
  const result = resultOf(outcome, trigger, generation, timer, findings)
  return { result, fileWarnings, pairMismatch, isRolledBack, failureDigest }
}

function verificationOf({ policy }: ResolvedOptions, timer: PhaseTimer): Verification {
  if (policy.purpose === 'client') return 'not-applicable'
  return timer.hasEnded('verify') ? 'done' : 'skipped'
}

/** The report of a pass that an error ended. */
export function failureReport(
  { generation, fileWarnings }: Snapshot,
  trigger: Trigger,
  timer: PhaseTimer,
  error: unknown,
  { evictions, overrides }: { readonly evictions: EvictionReport; readonly overrides: readonly Problem[] },
): PassReport {
  const problems = problemsOf(error)
  const findings = withEvictions(evictions, 'rejected', problems, [...fileWarnings, ...overrides])
  const result = resultOf('rejected', trigger, generation, timer, findings)
  const failureDigest = problems.map(({ code }) => code).join()
  return { result, fileWarnings, pairMismatch: false, isRolledBack: false, failureDigest }
}
