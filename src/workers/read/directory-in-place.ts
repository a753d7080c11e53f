import type { Problem } from '../base/problem.js'
import { ROLES, type Role } from '../protocol/roles.js'
import { namesIn } from './list-directory.js'
import { isDirectoryProblem } from './read-file.js'

/** Maximum number of names in a message. */
const MAX_NAMES = 6

/** For a directory given where a file is expected: adds its content and the name to use instead. */
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

/** The first of many names, and the number of the rest. */
export function shortList(names: readonly string[]): string {
  const more = names.length - MAX_NAMES
  return more > 0 ? `${names.slice(0, MAX_NAMES).join(', ')} and ${more} more` : names.join(', ')
}
