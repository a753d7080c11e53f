import type { Problem } from '../../workers/base/problem.js'
import type { ReloadResult } from '../api/result.js'

/** Many times more than one pass reports. Hosts that are renewed separately add up. */
const MAX_KEPT = 2000

/**
 * Records the warnings that were logged. A lasting condition, such as an unknown issuer, is found again at each renewal; it is
 * logged once, and again after it had disappeared.
 */
export class LoggedWarnings {
  /** The path of each warning by its key. The key is the whole warning: several of one code may be about one file. */
  readonly #logged = new Map<string, string | undefined>()

  /** Records the warnings of a pass. @returns a function that tells whether a warning of the pass is new. */
  record({ warnings, changed }: Pick<ReloadResult, 'warnings' | 'changed'>): (warning: Problem) => boolean {
    const fresh = new Set(warnings.filter((warning) => !this.#logged.has(keyOf(warning))))
    const found = new Set(warnings.map(keyOf))
    const reloaded = new Set(changed)
    for (const [key, path] of this.#logged) {
      if (!found.has(key) && (path === undefined || reloaded.has(path))) this.#logged.delete(key)
    }
    if (this.#logged.size > MAX_KEPT) this.#logged.clear()
    for (const warning of warnings) this.#logged.set(keyOf(warning), warning.path)
    return (warning) => fresh.has(warning)
  }
}

function keyOf({ code, path, host, message }: Problem): string {
  return JSON.stringify([code, path, host, message])
}
