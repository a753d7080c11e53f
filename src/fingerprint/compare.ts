/** How a change of a file is detected: by its content digest or by its inode stamp. */
export type FingerprintRule = 'content' | 'stamp'

/** One file and one rule. A file with both a chain and its key has two entries, one for each rule. */
export interface FingerprintEntry {
  readonly path: string
  readonly by: FingerprintRule
  readonly value: string
}

/**
 * The state of a set of files when they were read. The order of entries is irrelevant. If the entries come from two reads,
 * a file can have two different values; such a fingerprint equals no other.
 */
export type Fingerprint = readonly FingerprintEntry[]

/** Paths changed, added or removed between two fingerprints, without duplicates, sorted. */
export function changedPaths(before: Fingerprint, after: Fingerprint): string[] {
  const keys = new Set(after.map(keyOf))
  const known = valuesByKey(before)
  const removed = before.filter((entry) => !keys.has(keyOf(entry)))
  const changed = after.filter((entry) => {
    const values = known.get(keyOf(entry))
    return values?.size !== 1 || !values.has(entry.value)
  })
  return [...new Set([...removed, ...changed].map(({ path }) => path))].sort()
}

/** Whether two fingerprints are equal; `after` is iterated only up to the first difference. */
export function sameFingerprint(before: Fingerprint, after: Iterable<FingerprintEntry>): boolean {
  const known = new Map<string, string>()
  for (const entry of before) {
    const key = keyOf(entry)
    if ((known.get(key) ?? entry.value) !== entry.value) return false
    known.set(key, entry.value)
  }
  const seen = new Set<string>()
  for (const entry of after) {
    const key = keyOf(entry)
    if (known.get(key) !== entry.value) return false
    seen.add(key)
  }
  return seen.size === known.size
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
