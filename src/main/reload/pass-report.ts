import type { Problem } from '../../workers/base/problem.js'
import type { Generation, Trigger } from '../api/generation.js'
import type { PassFindings } from '../api/result.js'
import { type ReloadResult, servingOf } from '../api/result.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { ReloadError } from '../base/errors.js'
import type { PhaseTimer } from './phase-timer.js'

/** A pass's result, and what only the engine needs to know of it. */
export interface PassReport {
  readonly result: ReloadResult
  /** Those of the warnings that are about files whose path does not show what is on disk. */
  readonly fileWarnings: readonly Problem[]
  /** Set when all that is wrong is a pair that does not match. */
  readonly pairMismatch: boolean
  /** Whether the disk is not served because it was rolled away from. */
  readonly isRolledBack: boolean
  /** Tells one state of the disk from another; empty when nothing is wrong. */
  readonly failureDigest: string
}

/** The result of a pass after which `generation` serves. */
export function resultOf(
  outcome: ReloadResult['outcome'],
  trigger: Trigger,
  generation: Generation,
  watch: PhaseTimer,
  {
    problems = [],
    warnings = [],
    changed = [],
    diff = null,
    hosts = null,
    members = [],
    restored = null,
  }: PassFindings = {},
): ReloadResult {
  return deepFreeze({
    outcome,
    trigger,
    generation: generation.number,
    serving: servingOf(generation),
    problems,
    warnings,
    changed,
    diff,
    hosts,
    restored,
    members,
    timings: watch.timings(),
  })
}

/** What an error that ended a pass comes to. */
export function problemsOf(error: unknown): readonly Problem[] {
  return error instanceof ReloadError ? error.problems : contextRefused(error).problems
}

/** Why there is no engine: the first problem gives its code. */
export function firstLoadError(problems: readonly Problem[]): ReloadError {
  const [first] = problems
  if (!first) return new ReloadError('WORKER_CRASHED', 'the worker gave no answer to the first load')
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return new ReloadError(first.code, `the first load failed: ${first.message}${more}`, { problems })
}

/** What the worker's rehearsal did not see: this thread's OpenSSL refuses the material. */
function contextRefused(error: unknown): ReloadError {
  const { code } = error as NodeJS.ErrnoException
  const message = `the main thread could not build a TLS context from what the worker prepared (${code ?? 'no code'})`
  return new ReloadError('CONTEXT_REFUSED', message)
}
