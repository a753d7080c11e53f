/** Default beginning of every key. */
export const DEFAULT_PREFIX = 'certswap:'

/** What a hash contains: the material of an identity, or of one SNI host. */
export interface Subject {
  readonly kind: 'identity' | 'host'
  readonly name: string
}

/** The names of all keys below a prefix. */
export interface Keys {
  /** Exists in every store that a writer has filled, so that an empty store can be recognized. */
  readonly store: string
  /** The stream of changes. */
  readonly changes: string
  /** The hash of an identity or a host. */
  of(subject: Subject): string
  /** The report of one replica. */
  report(identity: string, replica: string): string
  /** Pattern of `SCAN` for the reports of one identity, or of all. */
  reports(identity?: string): string
}

export function keysBelow(prefix: string): Keys {
  return {
    store: `${prefix}store`,
    changes: `${prefix}changes`,
    of: ({ kind, name }) => `${prefix}${kind}:${name}`,
    report: (identity, replica) => `${prefix}report:${identity}:${replica}`,
    reports: (identity) =>
      `${literal(prefix)}report:${identity === undefined ? '' : `${literal(identity)}:`}*`,
  }
}

/** A text as a pattern that matches only itself. */
function literal(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, '\\$&')
}
