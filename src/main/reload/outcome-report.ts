import type { Problem } from '../../workers/base/problem.js'
import type { Trigger } from '../api/generation.js'
import type { MemberResult } from '../api/members.js'
import type { Outcome } from '../api/result.js'
import type { Snapshot } from '../generation/generation.js'
import { hostCounts } from '../prepare/hosts.js'
import type { Preparation } from '../prepare/preparation.js'
import type { LeftBehind } from './fleet.js'
import { withLeftBehind } from './left-behind.js'
import { type PassReport, problemsOf, resultOf } from './pass-report.js'
import type { PhaseTimer } from './phase-timer.js'

/** What a pass found and did, beyond its outcome. */
interface PassYield {
  /** Absent for a rollback, and for a request that had nothing to load. */
  readonly found: Preparation | undefined
  /** Those that came after the preparation. */
  readonly warnings: readonly Problem[]
  readonly members: readonly MemberResult[]
  /** What is to be said about members that do not follow. */
  readonly left: LeftBehind
}

/** The report of a pass after which `served` is served. */
export function outcomeReport(
  { generation, fileWarnings: known }: Snapshot,
  outcome: Outcome,
  trigger: Trigger,
  watch: PhaseTimer,
  { found, warnings, members, left }: PassYield,
): PassReport {
  const { pairMismatch = false, isRolledBack = false, failureDigest = '', fileWarnings = known } = found ?? {}
  const findings = {
    ...found?.findings,
    ...withLeftBehind(left, outcome, found?.findings.problems ?? [], [
      ...(found?.findings.warnings ?? []),
      ...warnings,
      ...fileWarnings,
    ]),
    hosts: hostCounts(generation.hosts, found?.hosts ?? null),
    members,
  }
  const result = resultOf(outcome, trigger, generation, watch, findings)
  return { result, fileWarnings, pairMismatch, isRolledBack, failureDigest }
}

/** The report of a pass that an error ended. */
export function failureReport(
  { generation, fileWarnings }: Snapshot,
  trigger: Trigger,
  watch: PhaseTimer,
  error: unknown,
  { left, overrides }: { readonly left: LeftBehind; readonly overrides: readonly Problem[] },
): PassReport {
  const problems = problemsOf(error)
  const findings = withLeftBehind(left, 'rejected', problems, [...fileWarnings, ...overrides])
  const result = resultOf('rejected', trigger, generation, watch, findings)
  const failureDigest = problems.map(({ code }) => code).join()
  return { result, fileWarnings, pairMismatch: false, isRolledBack: false, failureDigest }
}
