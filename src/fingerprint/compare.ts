/** How one file is told apart from an earlier state of itself: by what is in it, or by its inode. */
export type FingerprintRule = 'content' | 'stamp'

/** One file and one rule. A file that holds a chain and its key has two entries, one of each rule. */
export interface FingerprintEntry {
  readonly path: string
  readonly by: FingerprintRule
  readonly value: string
}

/**
 * What a set of files was when it was read. The order of its entries means nothing. A fingerprint that is put together
 * from two moments can have two values for one file: then no set of files is the same.
 */
export type Fingerprint = readonly FingerprintEntry[]

/** Paths that were changed, added or removed between two fingerprints, each once, sorted. */
export function changedPaths(before: Fingerprint, after: Fingerprint): string[] {
  const keys = new Set(after.map(keyOf))
  const known = valuesByKey(before)
  const gone = before.filter((entry) => !keys.has(keyOf(entry)))
  const moved = after.filter((entry) => {
    const values = known.get(keyOf(entry))
    return values?.size !== 1 || !values.has(entry.value)
  })
  return [...new Set([...gone, ...moved].map(({ path }) => path))].sort()
}

/** Whether two fingerprints are the same; the second is read no further than to the first difference. */
export function sameFingerprint(before: Fingerprint, after: Iterable<FingerprintEntry>): boolean {
  const known = new Map<string, string>()
  for (const entry of before) {
    const key = keyOf(entry)
    if ((known.get(key) ?? entry.value) !== entry.value) return false
    known.set(key, entry.value)
  }
  const met = new Set<string>()
  for (const entry of after) {
    const key = keyOf(entry)
    if (known.get(key) !== entry.value) return false
    met.add(key)
  }
  return met.size === known.size
}

function valuesByKey(entries: Fingerprint): Map<string, Set<string>> {
  const values = new Map<string, Set<string>>()
  for (const entry of entries) {
    const key = keyOf(entry)
    values.set(key, (values.get(key) ?? new Set()).add(entry.value))
  }
  return values
}

function keyOf(entry: FingerprintEntry): string {
  return `${entry.by} ${entry.path}`
}
