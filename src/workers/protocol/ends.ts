import type { EndKind } from './end-kinds.js'

/** One dated part of the material. Times are ISO 8601 in UTC. */
export interface MaterialEnd {
  readonly kind: EndKind
  /** Subject of the certificate, issuer of the revocation list, or subject of the certificate with this OCSP response. */
  readonly name: string
  /** SHA-256 of its DER, upper-case hex with colons. */
  readonly fingerprint256: string
  /** `thisUpdate` of a revocation list or an OCSP response. */
  readonly notBefore: string
  /** `nextUpdate` of a revocation list or an OCSP response. */
  readonly notAfter: string
  /** The file that contains it, if known. */
  readonly path?: string
  /** The SNI host it belongs to; absent for the default certificate and the trust. */
  readonly host?: string
}

/**
 * The ends of trust anchors and revocation lists. There can be hundreds, so the main thread compares the numbers and
 * parses a label only when it reports that end.
 */
export interface TrustEnds {
  /** Number of ends that belong to trust anchors. They come first. */
  readonly anchors: number
  /** Start and end of each, in milliseconds since 1970. Transferred. */
  readonly dates: Float64Array
  /** One line of JSON for each, a {@link TrustLabel}. Transferred. */
  readonly labels: Uint8Array
}

/** Details of an end to report, besides its kind and dates. */
export interface TrustLabel extends Pick<MaterialEnd, 'name' | 'fingerprint256' | 'path'> {
  /**
   * Start of the gap-free period covered by revocation lists of the same coverage, in milliseconds since 1970; absent
   * if no other list precedes this one.
   */
  readonly since?: number
}

/** A {@link TrustLabel} with its dates, in milliseconds since 1970. */
export interface DatedLabel extends TrustLabel {
  readonly from: number
  readonly to: number
}

/** The end of material that never ends: the latest time of a `Date`. Unlike `Infinity`, it is valid JSON. */
export const NEVER_MS = 8.64e15

export function packTrustEnds(anchors: readonly DatedLabel[], lists: readonly DatedLabel[]): TrustEnds {
  const ends = [...anchors, ...lists]
  const dates = new Float64Array(ends.length * 2)
  const lines = ends.map(({ from, to, ...label }, i) => {
    dates[i * 2] = from
    dates[i * 2 + 1] = to
    return JSON.stringify(label satisfies TrustLabel)
  })
  const text = lines.join('\n')
  // A separate buffer, because it is transferred.
  const labels = new Uint8Array(Buffer.byteLength(text))
  new TextEncoder().encodeInto(text, labels)
  return { anchors: anchors.length, dates, labels }
}

/** The ends of an engine without trust anchors. */
export const NO_TRUST_ENDS: TrustEnds = packTrustEnds([], [])

/** The labels as lines of JSON, in the order of the dates. */
export function labelLines({ labels }: TrustEnds): string[] {
  return labels.length === 0 ? [] : Buffer.from(labels).toString().split('\n')
}
