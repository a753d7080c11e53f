import type { Problem } from '../base/problem.js'

/** One mistake can affect thousands of files or hosts; only the first are listed. */
export const MAX_PROBLEMS = 100

/** The first problems and the number of the rest: for results, log lines and the status. */
export function limitProblems(
  problems: readonly Problem[],
  count: number = problems.length,
): readonly Problem[] {
  const first = problems.slice(0, MAX_PROBLEMS)
  const more = count - first.length
  return more > 0 && first[0]
    ? [...first, { code: first[0].code, message: `and ${more} more of this and other kinds` }]
    : first
}
