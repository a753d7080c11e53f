import type { Problem } from '../../workers/base/problem.js'
import type { ReloadResult } from '../api/result.js'

/** More than a pass reports many times over: hosts are renewed in passes of their own. */
const MOST_KEPT = 2000

/**
 * Remembers the warnings that were logged. A state that lasts, such as an issuer that is unknown here, is found again at
 * each renewal; it is logged once, and again after it was gone.
 */
export class SaidWarnings {
  /** The path of each warning by its key, which is all of the warning: several of one code may be about one file. */
  readonly #said = new Map<string, string | undefined>()

  /** Takes note of the warnings of a pass. @returns whether a warning of it was not logged before. */
  after({ warnings, changed }: Pick<ReloadResult, 'warnings' | 'changed'>): (warning: Problem) => boolean {
    const fresh = new Set(warnings.filter((warning) => !this.#said.has(keyOf(warning))))
    const found = new Set(warnings.map(keyOf))
    const looked = new Set(changed)
    for (const [key, path] of this.#said) {
      if (!found.has(key) && (path === undefined || looked.has(path))) this.#said.delete(key)
    }
    if (this.#said.size > MOST_KEPT) this.#said.clear()
    for (const warning of warnings) this.#said.set(keyOf(warning), warning.path)
    return (warning) => fresh.has(warning)
  }
}

function keyOf({ code, path, host, message }: Problem): string {
  return JSON.stringify([code, path, host, message])
}
