import { HOST_DATES } from '../../workers/hosts/protocol.js'
import {
  type EndKind,
  labelLines,
  type MaterialEnd,
  type TrustEnds,
  type TrustLabel,
} from '../../workers/material-ends.js'
import type { CertificateFacts } from '../../workers/protocol.js'
import type { Snapshot } from '../generation/generation.js'
import type { Host, HostTable } from '../generation/host-table.js'

/** A kind of end; `spare` is a certificate of the chain that no client needs, the end of which does no harm. */
export type WatchedKind = EndKind | 'spare'

/** Dated things that are replaced together. Dates are in milliseconds since 1970; names are read only when they are needed. */
export interface DatedSet {
  readonly count: number
  fromMs(index: number): number
  toMs(index: number): number
  kindOf(index: number): WatchedKind
  /** Names one thing of the set, whatever its dates are. */
  keyOf(index: number): string
  /** Subject of a certificate, issuer of a revocation list, or the SNI host. */
  nameOf(index: number): string
  describe(index: number): MaterialEnd
}

/** The default certificates, each with its chain. */
export function pairSet({ generation: { certificates }, options: { sources } }: Snapshot): DatedSet {
  const paths = [...sources.pairs.map(({ cert }) => cert), ...(sources.pfx === null ? [] : [sources.pfx])]
  const all = certificates.flatMap((facts, i) => endsOf(facts, paths[i]))
  const at = (index: number) => all[index] as WatchedEnd
  return {
    count: all.length,
    fromMs: (index) => Date.parse(at(index).end.notBefore),
    toMs: (index) => Date.parse(at(index).end.notAfter),
    kindOf: (index) => at(index).kind,
    keyOf: (index) => at(index).end.fingerprint256,
    nameOf: (index) => at(index).end.name,
    describe: (index) => at(index).end,
  }
}

interface WatchedEnd {
  readonly kind: WatchedKind
  readonly end: MaterialEnd
}

function endsOf(facts: CertificateFacts, path: string | undefined): WatchedEnd[] {
  const where = path === undefined ? {} : { path }
  return [
    { kind: 'leaf', end: { ...endOf('leaf', facts), ...where } },
    ...facts.chain.map((one): WatchedEnd => {
      return { kind: one.needed ? 'chain' : 'spare', end: { ...endOf('chain', one), ...where } }
    }),
  ]
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
  const fromMs = (index: number) => dates[index * 2] as number
  const toMs = (index: number) => dates[index * 2 + 1] as number
  const kindOf = (index: number) => (index < anchors ? 'ca' : 'crl')
  return {
    count: dates.length / 2,
    fromMs,
    toMs,
    kindOf,
    keyOf: (index) => labelOf(index).fingerprint256,
    nameOf: (index) => labelOf(index).name,
    describe: (index) => {
      const dates = { notBefore: iso(fromMs(index)), notAfter: iso(toMs(index)) }
      return { kind: kindOf(index), ...labelOf(index), ...dates }
    },
  }
}

/** SNI hosts: of each its leaf, and the certificate of its chain that ends first. */
export function hostSet({ byId, dates }: HostTable): DatedSet {
  let hosts: readonly Host[] | null = null
  const hostOf = (index: number) => {
    hosts ??= [...byId.values()]
    return hosts[index >> 1] as Host
  }
  return {
    count: byId.size * (HOST_DATES / 2),
    fromMs: (index) => dates[index * 2] as number,
    toMs: (index) => dates[index * 2 + 1] as number,
    kindOf: partOf,
    keyOf: (index) => `${partOf(index)} ${hostOf(index).id}`,
    nameOf: (index) => hostOf(index).id,
    describe: (index) => describeHost(hostOf(index), partOf(index)),
  }
}

function partOf(index: number): 'leaf' | 'chain' {
  return index % 2 === 0 ? 'leaf' : 'chain'
}

function describeHost({ id, facts }: Host, kind: 'leaf' | 'chain'): MaterialEnd {
  if (kind === 'leaf') return { ...endOf(kind, facts), host: id }
  const [first] = facts.chain
    .filter(({ needed }) => needed)
    .sort((a, b) => Date.parse(a.notAfter) - Date.parse(b.notAfter))
  return { ...endOf(kind, first ?? facts), host: id }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
