import { type EndKind, type MaterialEnd, NEVER_MS } from '../../workers/protocol/ends.js'
import type { CurrentEnds } from '../api/status.js'

/** A kind of end. `spare` is a certificate of the chain that no client needs, so that its expiry does no harm. */
export type WatchedKind = EndKind | 'spare'

/** Certificates and revocation lists, by index. */
export interface DatedKinds {
  /** Start and end of each item, in milliseconds since 1970. */
  readonly dates: Float64Array
  kindOf(index: number): WatchedKind
  describe(index: number): MaterialEnd
}

/** The first end of each kind; `null` if nothing of the kind is served, or if it never ends. */
export interface MaterialEnds {
  readonly leaf: MaterialEnd | null
  /** Includes only the certificates above a leaf that clients need. */
  readonly chain: MaterialEnd | null
  /**
   * Excludes trust anchors that had expired before they were loaded: they are a warning, and would hide the end of the others.
   * If all had expired, it is the last end.
   */
  readonly ca: MaterialEnd | null
  /** Includes only lists whose end makes clients fail, not those with a successor. */
  readonly crl: MaterialEnd | null
  readonly ocsp: MaterialEnd | null
}

/** Adds whether each end has passed. @param nowMs in milliseconds since 1970. */
export function endsAt({ leaf, chain, ca, crl, ocsp }: MaterialEnds, nowMs: number): CurrentEnds {
  const at = (end: MaterialEnd | null) => end && { ...end, expired: Date.parse(end.notAfter) <= nowMs }
  return { leaf: at(leaf), chain: at(chain), ca: at(ca), crl: at(crl), ocsp: at(ocsp) }
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
  const endOf = (kind: EndKind) => {
    const index = first[kind]
    return index === undefined ? null : set.describe(index)
  }
  return {
    leaf: endOf('leaf'),
    chain: endOf('chain'),
    ca: endOf('ca'),
    crl: endOf('crl'),
    ocsp: endOf('ocsp'),
  }
}

/** The earlier end of each kind. */
export function earlierEnds(one: MaterialEnds, other: MaterialEnds): MaterialEnds {
  return {
    leaf: earlier(one.leaf, other.leaf),
    chain: earlier(one.chain, other.chain),
    ca: earlier(one.ca, other.ca),
    crl: earlier(one.crl, other.crl),
    ocsp: earlier(one.ocsp, other.ocsp),
  }
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
