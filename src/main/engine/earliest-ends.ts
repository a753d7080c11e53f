import { type EndKind, type MaterialEnd, NEVER_MS } from '../../workers/protocol/ends.js'
import type { CurrentEnds } from '../api/status.js'

/** A kind of end; `spare` is a certificate of the chain that no client needs, the end of which does no harm. */
export type WatchedKind = EndKind | 'spare'

/** Dated things, by their place. */
export interface DatedKinds {
  /** For each: begin and end, in milliseconds since 1970. */
  readonly dates: Float64Array
  kindOf(index: number): WatchedKind
  describe(index: number): MaterialEnd
}

/** The first end of each kind; `null` where nothing of the kind is served, or where it never ends. */
export interface MaterialEnds {
  readonly leaf: MaterialEnd | null
  /** Counts the certificates above a leaf that clients need. */
  readonly chain: MaterialEnd | null
  /**
   * Trust anchors that had expired before they were loaded do not count: they are a warning, and would hide the end of the
   * others. Where all had expired, it is the last of them.
   */
  readonly ca: MaterialEnd | null
  /** Counts the lists whose end makes clients fail; a list that has a successor does not count. */
  readonly crl: MaterialEnd | null
}

/** The ends as of `nowMs`, in milliseconds since 1970. */
export function endsAt({ leaf, chain, ca, crl }: MaterialEnds, nowMs: number): CurrentEnds {
  const at = (end: MaterialEnd | null) => end && { ...end, expired: Date.parse(end.notAfter) <= nowMs }
  return { leaf: at(leaf), chain: at(chain), ca: at(ca), crl: at(crl) }
}

/** The first ends of one set. `nowMs` is the time at which it was loaded, in milliseconds since 1970. */
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
      goesBefore(toMs, dates[before * 2 + 1] as number, kind === 'ca' ? nowMs : null)
    )
      first[kind] = index
  }
  const endOf = (kind: EndKind) => {
    const index = first[kind]
    return index === undefined ? null : set.describe(index)
  }
  return { leaf: endOf('leaf'), chain: endOf('chain'), ca: endOf('ca'), crl: endOf('crl') }
}

/** The first end of each kind in either. */
export function earlierEnds(one: MaterialEnds, other: MaterialEnds): MaterialEnds {
  return {
    leaf: earlier(one.leaf, other.leaf),
    chain: earlier(one.chain, other.chain),
    ca: earlier(one.ca, other.ca),
    crl: earlier(one.crl, other.crl),
  }
}

/** Without `nowMs`, the earlier end goes first. With it, ends after that time go first, and the latest of those before it. */
function goesBefore(toMs: number, otherMs: number, nowMs: number | null): boolean {
  if (nowMs === null || (toMs > nowMs && otherMs > nowMs)) return toMs < otherMs
  return toMs > otherMs
}

function earlier(one: MaterialEnd | null, other: MaterialEnd | null): MaterialEnd | null {
  if (one === null || other === null) return one ?? other
  // Times of one form compare as text.
  return other.notAfter < one.notAfter ? other : one
}
