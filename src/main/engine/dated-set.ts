import { type EndKind, forEachEnd, type WatchedKind } from '../../workers/protocol/end-kinds.js'
import {
  labelLines,
  type MaterialEnd,
  NEVER_MS,
  type TrustEnds,
  type TrustLabel,
} from '../../workers/protocol/ends.js'
import type { CertificateFacts, OcspFacts } from '../../workers/protocol/material.js'
import type { Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import type { HostTable } from '../generation/host-table.js'
import { type DatedKinds, earliestEnds, type MaterialEnds } from './earliest-ends.js'

/** Certificates and revocation lists that are replaced together. Names are read only when they are needed. */
export interface DatedSet extends DatedKinds {
  /**
   * Start of the validity of an item, in milliseconds since 1970: its start date, or an earlier time for a revocation list
   * that succeeds another one.
   */
  startOf(index: number): number
  /** Identifies an item, independent of its dates. */
  keyOf(index: number): string
  /** Kind and name of the item with this key, which may belong to an earlier set. */
  named(key: string): NamedKind
  /** The first end of each kind in a set that was loaded at this time. */
  endsAt(nowMs: number): MaterialEnds
}

/** A kind, and the subject of the certificate, the issuer of the revocation list, or the SNI host. */
export interface NamedKind {
  readonly kind: EndKind
  readonly name: string
}

/** The default certificates, each with its chain. */
export function pairSet({ generation: { certificates }, options: { sources } }: Snapshot): DatedSet {
  const paths = [...sources.pairs.map(({ cert }) => cert), ...(sources.pfx === null ? [] : [sources.pfx])]
  const all = certificates.flatMap((facts, i) => endsOf(facts, paths[i], sources.ocsp))
  const at = (index: number) => all[index] as WatchedEnd
  const kinds: DatedKinds = {
    dates: Float64Array.from(all.flatMap(({ end }) => [Date.parse(end.notBefore), Date.parse(end.notAfter)])),
    kindOf: (index) => at(index).kind,
    describe: (index) => at(index).end,
  }
  return {
    ...kinds,
    startOf: (index) => kinds.dates[index * 2] as number,
    keyOf: (index) => keyOfEnd(at(index).end),
    named: namedByKey,
    endsAt: (nowMs) => earliestEnds(kinds, nowMs),
  }
}

interface WatchedEnd {
  readonly kind: WatchedKind
  readonly end: MaterialEnd
}

function endsOf(facts: CertificateFacts, path: string | undefined, ocspPath: string | null): WatchedEnd[] {
  const where = path === undefined ? {} : { path }
  return [
    { kind: 'leaf', end: { ...endOf('leaf', facts), ...where } },
    ...facts.chain.map((one): WatchedEnd => {
      return { kind: one.needed ? 'chain' : 'spare', end: { ...endOf('chain', one), ...where } }
    }),
    ...responseEnd(facts, ocspPath),
  ]
}

function responseEnd({ subject, ocsp }: CertificateFacts, path: string | null): WatchedEnd[] {
  if (!ocsp) return []
  const end = endOfResponse(subject, ocsp)
  return [{ kind: 'ocsp', end: path === null ? end : { ...end, path } }]
}

function endOfResponse(name: string, { fingerprint256, thisUpdate, nextUpdate }: OcspFacts): MaterialEnd {
  return { kind: 'ocsp', name, fingerprint256, notBefore: thisUpdate, notAfter: nextUpdate ?? iso(NEVER_MS) }
}

function endOf(
  kind: EndKind,
  facts: Pick<CertificateFacts, 'subject' | 'fingerprint256' | 'notBefore' | 'notAfter'>,
): MaterialEnd {
  const { subject: name, fingerprint256, notBefore, notAfter } = facts
  return { kind, name, fingerprint256, notBefore, notAfter }
}

/** Trust anchors and revocation lists. */
export function trustSet(ends: TrustEnds): DatedSet {
  const { anchors, dates } = ends
  let lines: readonly string[] | null = null
  const labelOf = (index: number) => {
    lines ??= labelLines(ends)
    return JSON.parse(lines[index] as string) as TrustLabel
  }
  const kindOf = (index: number) => (index < anchors ? 'ca' : 'crl')
  const kinds: DatedKinds = {
    dates,
    kindOf,
    describe: (index) => {
      const notBefore = iso(dates[index * 2] as number)
      const notAfter = iso(dates[index * 2 + 1] as number)
      const { since: _, ...label } = labelOf(index)
      return { kind: kindOf(index), ...label, notBefore, notAfter }
    },
  }
  return {
    ...kinds,
    startOf: (index) => labelOf(index).since ?? (dates[index * 2] as number),
    keyOf: (index) => keyOfEnd({ kind: kindOf(index), ...labelOf(index) }),
    named: namedByKey,
    endsAt: (nowMs) => earliestEnds(kinds, nowMs),
  }
}

function keyOfEnd({
  kind,
  fingerprint256,
  name,
}: Pick<MaterialEnd, 'kind' | 'fingerprint256' | 'name'>): string {
  return [kind, fingerprint256, name].join('\n')
}

function namedByKey(key: string): NamedKind {
  const [kind, , ...name] = key.split('\n') as [EndKind, ...string[]]
  return { kind, name: name.join('\n') }
}

type HostPart = 'leaf' | 'chain' | 'ocsp'
const PARTS: readonly HostPart[] = ['leaf', 'chain', 'ocsp']

/** Between a part and its host in a key. No name and no path contains it. */
const BEHIND_PART = '\0'

/** SNI hosts, each with its leaf, the chain certificate that expires first and its OCSP response, in the order of `HostDates`. */
export function hostSet(table: HostTable): DatedSet {
  const { byId, dates } = table
  let hosts: readonly Host[] | null = null
  const hostOf = (index: number) => {
    hosts ??= [...byId.values()]
    return hosts[Math.floor(index / PARTS.length)] as Host
  }
  return {
    dates,
    startOf: (index) => dates[index * 2] as number,
    kindOf: partOf,
    keyOf: (index) => partOf(index) + BEHIND_PART + hostOf(index).id,
    named(key) {
      const [kind, name] = key.split(BEHIND_PART) as [HostPart, string]
      return { kind, name }
    },
    describe: (index) => describeHost(hostOf(index), partOf(index)),
    endsAt: () =>
      forEachEnd((kind) => {
        if (!isHostPart(kind)) return null
        const soonest = table.soonest(kind)
        return soonest && describeHost(soonest.host, kind)
      }),
  }
}

function isHostPart(kind: string): kind is HostPart {
  return PARTS.some((part) => part === kind)
}

function partOf(index: number): HostPart {
  return PARTS[index % PARTS.length] as HostPart
}

function describeHost({ id, facts }: Host, kind: HostPart): MaterialEnd {
  if (kind === 'ocsp' && facts.ocsp) return { ...endOfResponse(facts.subject, facts.ocsp), host: id }
  if (kind !== 'chain') return { ...endOf(kind, facts), host: id }
  const [first] = facts.chain
    .filter(({ needed }) => needed)
    .sort((a, b) => Date.parse(a.notAfter) - Date.parse(b.notAfter))
  return { ...endOf(kind, first ?? facts), host: id }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
