import { exact } from '../base/exact.js'
import { NEVER_MS } from '../protocol/ends.js'
import { HOST_DATES, type HostDates, type HostSource, type PrepareHostsReply } from '../protocol/hosts.js'
import {
  type CertificateFacts,
  type ChainCertificate,
  PAIR_PARTS,
  type PreparedPair,
} from '../protocol/material.js'
import { transferred } from '../reply/transfer.js'

/** A host's pair before packing. */
export interface PackedPair {
  readonly host: HostSource
  readonly names: readonly string[]
  readonly facts: CertificateFacts
  readonly pair: PreparedPair
}

const ABSENT = new Uint8Array()

/** Packs the data of a batch into one buffer, which is transferred, and overwrites the sources. */
export function packHosts(
  pairs: readonly PackedPair[],
  rest: Omit<PrepareHostsReply, 'pack' | 'ends' | 'dates' | 'hosts'>,
): PrepareHostsReply {
  const parts = pairs.flatMap(({ facts, pair }) => [
    exact(JSON.stringify(facts)),
    ...PAIR_PARTS.map((part) => pair[part] ?? ABSENT),
  ])
  const pack = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  const ends = new Uint32Array(parts.length)
  let at = 0
  parts.forEach((part, i) => {
    pack.set(part, at)
    at += part.length
    ends[i] = at
    part.fill(0)
  })
  const hosts = pairs.map(({ host: { id }, names, facts }) => {
    const { notAfter, keyType, ocsp, fingerprint256 } = facts
    return { id, names, notAfter, keyType, ...(ocsp ? { stapledLeaf: fingerprint256 } : {}) }
  })
  const dates = new Float64Array(pairs.length * HOST_DATES)
  pairs.forEach(({ facts }, i) => {
    dates.set(datesOf(facts), i * HOST_DATES)
  })
  return transferred({ ...rest, pack, ends, dates, hosts }, [pack.buffer, ends.buffer, dates.buffer])
}

/** Validity period of the leaf, of the first chain certificate to expire, and of the OCSP response. */
export function datesOf({ notBefore, notAfter, chain, ocsp }: CertificateFacts): HostDates {
  let first: ChainCertificate | null = null
  for (const one of chain) {
    // ISO times compare as text.
    if (one.needed && (first === null || one.notAfter < first.notAfter)) first = one
  }
  const [from, to] = first ? [Date.parse(first.notBefore), Date.parse(first.notAfter)] : [0, NEVER_MS]
  const ocspFrom = ocsp ? Date.parse(ocsp.thisUpdate) : 0
  const ocspTo = ocsp?.nextUpdate ? Date.parse(ocsp.nextUpdate) : NEVER_MS
  return [Date.parse(notBefore), Date.parse(notAfter), from, to, ocspFrom, ocspTo]
}
