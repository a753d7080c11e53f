import type { Problem } from '../../workers/base/problem.js'
import type { Generation, Trigger } from '../api/generation.js'
import type { PassFindings } from '../api/result.js'
import { type ReloadResult, servingOf } from '../api/result.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { ReloadError } from '../base/errors.js'
import type { PhaseTimer } from './phase-timer.js'

/** The result of a pass, with details that only the engine uses. */
export interface PassReport {
  readonly result: ReloadResult
  /** The warnings about files whose path does not show what is on disk. */
  readonly fileWarnings: readonly Problem[]
  /** Whether the only problem is a certificate and key that do not match. */
  readonly pairMismatch: boolean
  /** Whether the files on disk are not served because they were rolled back. */
  readonly isRolledBack: boolean
  /** Identifies this failure by the state of the files; empty without a problem. */
  readonly failureDigest: string
}

/** The result of a pass. @param generation the generation that is served after it. */
export function resultOf(
  outcome: ReloadResult['outcome'],
  trigger: Trigger,
  generation: Generation,
  timer: PhaseTimer,
  {
    problems = [],
    warnings = [],
    changed = [],
    diff = null,
    hosts = null,
    members = [],
    restored = null,
    verification = 'not-reached',
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
    verification,
    timings: timer.timings(),
  })
}

/** The problems of an error that ended a pass. */
export function problemsOf(error: unknown): readonly Problem[] {
  return error instanceof ReloadError ? error.problems : contextRefused(error).problems
}

/** The error of a failed first load. The first problem determines its code. */
export function firstLoadError(problems: readonly Problem[]): ReloadError {
  const [first] = problems
  if (!first) return new ReloadError('WORKER_CRASHED', 'the first load failed: the worker reported no reason')
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return new ReloadError(first.code, `the first load failed: ${first.message}${more}`, { problems })
}

/** The main thread's OpenSSL refused material that passed the worker's rehearsal. */
function contextRefused(error: unknown): ReloadError {
  const { code } = error as NodeJS.ErrnoException
  const message = `the main thread could not build a TLS context from the prepared material (${code ?? 'no code'})`
  return new ReloadError('CONTEXT_REFUSED', message)
}
