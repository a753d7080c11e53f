import type { Problem } from '../../workers/base/problem.js'
import type { ReloadResult } from '../api/result.js'
import type { LeftBehind } from './fleet.js'

/**
 * The problems and warnings of a pass, with evicted members among them. While such a member may accept clients that the trust
 * in force refuses, the withdrawal of that trust is incomplete, which is a problem of every pass that ends well otherwise.
 */
export function withLeftBehind(
  left: LeftBehind,
  outcome: ReloadResult['outcome'],
  problems: readonly Problem[],
  warnings: readonly Problem[],
): Pick<ReloadResult, 'problems' | 'warnings'> {
  if (outcome === 'applied' || outcome === 'unchanged') {
    return { problems: [...problems, ...left.problems], warnings: [...warnings, ...left.warnings] }
  }
  return { problems, warnings: [...warnings, ...left.problems, ...left.warnings] }
}
