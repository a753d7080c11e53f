/** How one file is told apart from an earlier state of itself: by what is in it, or by its inode. */
export type FingerprintRule = 'content' | 'stamp'

/** One file and one rule. A file that holds a chain and its key has two entries, one of each rule. */
export interface FingerprintEntry {
  readonly path: string
  readonly by: FingerprintRule
  readonly value: string
}

/** What a set of files was when it was read. The order of its entries means nothing. */
export type Fingerprint = readonly FingerprintEntry[]

/** Paths that were changed, added or removed between two fingerprints, each once, sorted. */
export function changedPaths(before: Fingerprint, after: Fingerprint): string[] {
  const left = new Map(before.map((entry) => [keyOf(entry), entry]))
  const changed = new Set<string>()
  for (const entry of after) {
    const key = keyOf(entry)
    if (left.get(key)?.value !== entry.value) changed.add(entry.path)
    left.delete(key)
  }
  for (const gone of left.values()) changed.add(gone.path)
  return [...changed].sort()
}

/** Whether two fingerprints are the same; the second is read no further than to the first difference. */
export function sameFingerprint(before: Fingerprint, after: Iterable<FingerprintEntry>): boolean {
  const known = new Map(before.map((entry) => [keyOf(entry), entry.value]))
  const met = new Set<string>()
  for (const entry of after) {
    const key = keyOf(entry)
    if (known.get(key) !== entry.value) return false
    met.add(key)
  }
  return met.size === known.size
}

function keyOf(entry: FingerprintEntry): string {
  return `${entry.by} ${entry.path}`
}
