import type { Problem, ProblemCode } from '../base/problem.js'
import type { MaterialEnd } from '../protocol/ends.js'

/** What a message needs to know of a dated thing; `at` is its end or its begin. */
export interface DatedName extends Pick<MaterialEnd, 'name' | 'path' | 'host'> {
  readonly at: string
}

/** The words for things of a kind that are out of date. */
export interface DatedWords {
  readonly code: ProblemCode
  readonly one: string
  readonly many: string
  readonly effect: string
}

/** How a message says that things are out of date: one of them, with the time behind it, or several. */
export interface DatedState {
  readonly one: string
  readonly many: string
}

/**
 * One warning for everything of a kind that is out of date: a bundle may hold dozens of roots that nobody has removed.
 *
 * @param first the first of them, at least one; {@link MOST_NAMED} are named.
 * @param count how many there are.
 */
export function datedProblem(
  { code, one, many, effect }: DatedWords,
  state: DatedState,
  first: readonly DatedName[],
  count: number = first.length,
): Problem {
  const [only] = first as readonly [DatedName]
  const path = first.every((other) => other.path === only.path) ? only.path : undefined
  const inFile = path === undefined ? '' : ` in ${path}`
  const where = path === undefined ? {} : { path }
  if (count === 1) {
    const ofHost = only.host === undefined ? '' : ` of host ${only.host}`
    const message = `the ${one} ${only.name}${ofHost}${inFile} ${state.one} ${only.at}${effect}`
    return { code, message, ...where, ...(only.host === undefined ? {} : { host: only.host }) }
  }
  const named = first.slice(0, MOST_NAMED)
  const list = named.map(({ name, at, host }) => `${host ?? name} (${at})`).join(SEPARATOR)
  const more = count > named.length ? ` and ${count - named.length} more` : ''
  return { code, message: `${count} ${many}${inFile} ${state.many}: ${list}${more}${effect}`, ...where }
}

/** How many things a warning names; it gives the number of the others. */
export const MOST_NAMED = 10
const SEPARATOR = ', '

/** Whether such a warning names this host, alone or in its list. */
export function namesHost({ host, message }: Problem, id: string): boolean {
  return host === id || [': ', SEPARATOR].some((before) => message.includes(`${before}${id} (`))
}
