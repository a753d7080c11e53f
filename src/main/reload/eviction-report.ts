import type { Problem } from '../../workers/base/problem.js'
import type { ReloadResult } from '../api/result.js'
import type { EvictionReport } from './fleet.js'

/**
 * The problems and warnings of a pass, including evicted members. While an evicted member may accept clients that the trust
 * in force refuses, the withdrawal of trust is incomplete: a problem of every pass, even if it succeeds otherwise.
 */
export function withEvictions(
  evictions: EvictionReport,
  outcome: ReloadResult['outcome'],
  problems: readonly Problem[],
  warnings: readonly Problem[],
): Pick<ReloadResult, 'problems' | 'warnings'> {
  if (outcome === 'applied' || outcome === 'unchanged') {
    return { problems: [...problems, ...evictions.problems], warnings: [...warnings, ...evictions.warnings] }
  }
  return { problems, warnings: [...warnings, ...evictions.problems, ...evictions.warnings] }
}
