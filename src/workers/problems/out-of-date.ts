import type { Problem } from '../base/problem.js'
import { endCodes, endWords, type WatchedKind } from '../protocol/end-kinds.js'
import type { MaterialEnd } from '../protocol/ends.js'
import { datedProblem } from './dated-problem.js'

/** What a message needs to know of a dated part. */
type NamedPart = Pick<MaterialEnd, 'name' | 'path' | 'host'>

/**
 * One warning for everything of a kind that has expired, see {@link datedProblem}. The worker uses it for trust anchors that
 * it loads, the main thread for everything that is served.
 */
export function expiredProblem(
  kind: WatchedKind,
  first: readonly (NamedPart & Pick<MaterialEnd, 'notAfter'>)[],
  count: number = first.length,
): Problem {
  const named = first.map((end) => ({ ...end, at: end.notAfter }))
  const { one, many, expired } = endWords(kind)
  return datedProblem({ one, many, ...expired }, { one: 'expired on', many: 'have expired' }, named, count)
}

/**
 * One warning for all served material of a kind that is not valid yet by the clock of this machine, see {@link datedProblem}.
 * Usually the clock was set back after the material was loaded.
 */
export function earlyProblem(
  kind: WatchedKind,
  first: readonly (NamedPart & Pick<MaterialEnd, 'notBefore'>)[],
  count: number,
): Problem {
  const named = first.map((end) => ({ ...end, at: end.notBefore }))
  const { one, many, early } = endWords(kind)
  const state = { one: 'is not valid before', many: 'are not valid yet' }
  return datedProblem({ one, many, ...early }, state, named, count)
}

/** Codes of warnings that depend only on the time: expired, and not valid yet. */
export const DATED_CODES: ReadonlySet<string> = new Set([...endCodes('expired'), ...endCodes('early')])
