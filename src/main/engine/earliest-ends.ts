import { type EndKind, forEachEnd, type WatchedKind } from '../../workers/protocol/end-kinds.js'
import { type MaterialEnd, NEVER_MS } from '../../workers/protocol/ends.js'
import type { CurrentEnds } from '../api/status.js'

/** Certificates and revocation lists, by index. */
export interface DatedKinds {
  /** Start and end of each item, in milliseconds since 1970. */
  readonly dates: Float64Array
  kindOf(index: number): WatchedKind
  describe(index: number): MaterialEnd
}

/**
 * The first end of each kind; `null` if nothing of the kind is served, or if it never ends. `chain` includes only the
 * certificates above a leaf that clients need, and `crl` only lists whose end makes clients fail. `ca` excludes trust anchors
 * that had expired before they were loaded: they are a warning, and would hide the end of the others; if all had expired, it
 * is the last end.
 */
export type MaterialEnds = { readonly [Kind in EndKind]: MaterialEnd | null }

/** Adds whether each end has passed. @param nowMs in milliseconds since 1970. */
export function endsAt(ends: MaterialEnds, nowMs: number): CurrentEnds {
  return forEachEnd((kind) => {
    const end = ends[kind]
    return end && { ...end, expired: Date.parse(end.notAfter) <= nowMs }
  })
}

/** The first ends of one set. @param nowMs the time at which it was loaded, in milliseconds since 1970. */
export function earliestEnds(set: DatedKinds, nowMs: number): MaterialEnds {
  const { dates } = set
  const first: Partial<Record<WatchedKind, number>> = {}
  for (let index = 0; index * 2 < dates.length; index++) {
    const kind = set.kindOf(index)
    const before = first[kind]
    const toMs = dates[index * 2 + 1] as number
    if (toMs >= NEVER_MS) continue
    if (
      before === undefined ||
      comesBefore(toMs, dates[before * 2 + 1] as number, kind === 'ca' ? nowMs : null)
    )
      first[kind] = index
  }
  return forEachEnd((kind) => {
    const index = first[kind]
    return index === undefined ? null : set.describe(index)
  })
}

/** The earlier end of each kind. */
export function earlierEnds(one: MaterialEnds, other: MaterialEnds): MaterialEnds {
  return forEachEnd((kind) => earlier(one[kind], other[kind]))
}

/** Without `nowMs`, the earlier end comes first. With it, ends after that time come first, then the latest before it. */
function comesBefore(toMs: number, otherMs: number, nowMs: number | null): boolean {
  if (nowMs === null || (toMs > nowMs && otherMs > nowMs)) return toMs < otherMs
  return toMs > otherMs
}

function earlier(one: MaterialEnd | null, other: MaterialEnd | null): MaterialEnd | null {
  if (one === null || other === null) return one ?? other
  // ISO 8601 times of equal form can be compared as text.
  return other.notAfter < one.notAfter ? other : one
}
