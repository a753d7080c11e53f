import type { Problem, ProblemCode } from '../base/problem.js'
import type { MaterialEnd } from '../protocol/ends.js'

/** The subject of a message about dates; `at` is its end or start. */
export interface DatedName extends Pick<MaterialEnd, 'name' | 'path' | 'host'> {
  readonly at: string
}

/** Words for one kind of subject. */
export interface DatedWords {
  readonly code: ProblemCode
  readonly one: string
  readonly many: string
  readonly effect: string
}

/** Predicates for one subject, followed by the time, and for several. */
export interface DatedState {
  readonly one: string
  readonly many: string
}

/**
 * One warning for all outdated items of a kind: a bundle may hold dozens of old roots.
 *
 * @param first the first items, at least one; up to {@link MAX_NAMED} are named.
 * @param count the number of all items.
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
  const named = first.slice(0, MAX_NAMED)
  const list = named.map(({ name, at, host }) => `${host ?? name} (${at})`).join(SEPARATOR)
  const more = count > named.length ? ` and ${count - named.length} more` : ''
  return { code, message: `${count} ${many}${inFile} ${state.many}: ${list}${more}${effect}`, ...where }
}

/** Maximum number of items named in a warning; the others are counted. */
export const MAX_NAMED = 10
const SEPARATOR = ', '

/** Whether such a warning names this host, alone or in a list. */
export function namesHost({ host, message }: Problem, id: string): boolean {
  return host === id || [': ', SEPARATOR].some((before) => message.includes(`${before}${id} (`))
}
