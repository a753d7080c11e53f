import { isServerName } from '../../workers/base/server-name.js'

/** Each label has 1 to 63 characters (RFC 1035, section 2.3.4). */
const LABELS = /^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$/

/**
 * The server names that may be requested from a source. A check takes one look-up for each label of the name, for any number
 * of patterns, and keeps nothing, because clients send names of any kind and number.
 */
export class AllowedNames {
  readonly #exact = new Set<string>()
  readonly #suffixes = new Set<string>()
  #every = false

  /** Expects normalized patterns: a DNS name, `*.` and a DNS name, or `*`. */
  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      if (pattern === '*') this.#every = true
      else if (pattern.startsWith('*.')) this.#suffixes.add(pattern.slice(2))
      else this.#exact.add(pattern)
    }
  }

  /**
   * The name in lower case; `null` if it is not allowed, or is not a DNS name: an address, a name with a trailing dot (RFC 6066,
   * section 3), Unicode, control characters, a label or name that is too long.
   */
  read(servername: string): string | null {
    // The name of a client may have any length.
    if (servername.length > LONGEST) return null
    const name = servername.toLowerCase()
    return isServerName(name) && LABELS.test(name) && this.#allows(name) ? name : null
  }

  #allows(name: string): boolean {
    if (this.#every || this.#exact.has(name)) return true
    if (this.#suffixes.size === 0) return false
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      if (this.#suffixes.has(name.slice(dot + 1))) return true
    }
    return false
  }
}

const LONGEST = 253
