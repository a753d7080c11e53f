import type { Problem } from '../base/problem.js'
import { ROLES, type Role } from '../protocol/roles.js'
import { namesIn } from './list-directory.js'
import { isDirectoryProblem } from './read-file.js'

/** Names that a message lists. */
const MOST_NAMES = 6

/** For a directory that was given where a file is expected: adds what lies in it, and what to name instead. */
export function withDirectoryContent(problem: Problem, role: Role): Problem {
  const { path, message } = problem
  if (path === undefined || !isDirectoryProblem(problem)) return problem
  const names = [...namesIn(path)].sort()
  if (names.length === 0) return { ...problem, message: `${message}; it is empty` }
  const { directoryOption } = ROLES[role]
  const orDirectory = directoryOption === null ? '' : `, or the directory in the option "${directoryOption}"`
  return {
    ...problem,
    message: `${message}; it holds ${shortList(names)}: name the file itself${orDirectory}`,
  }
}

/** The first of many names, and how many there are. */
export function shortList(names: readonly string[]): string {
  const more = names.length - MOST_NAMES
  return more > 0 ? `${names.slice(0, MOST_NAMES).join(', ')} and ${more} more` : names.join(', ')
}
