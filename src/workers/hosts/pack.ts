import { exact } from '../base/exact.js'
import { NEVER_MS } from '../protocol/ends.js'
import { HOST_DATES, type HostDates, type HostSource, type PrepareHostsReply } from '../protocol/hosts.js'
import type { CertificateFacts, ChainCertificate } from '../protocol/material.js'
import { transferred } from '../reply/transfer.js'

/** A host's pair before it is packed. */
export interface PackedPair {
  readonly host: HostSource
  readonly names: readonly string[]
  readonly facts: CertificateFacts
  readonly chain: Uint8Array
  readonly key: Uint8Array
}

/** Puts all that a batch brings into one buffer, which is transferred, and overwrites what it was in before. */
export function packHosts(
  pairs: readonly PackedPair[],
  rest: Omit<PrepareHostsReply, 'pack' | 'ends' | 'dates' | 'hosts'>,
): PrepareHostsReply {
  const parts = pairs.flatMap(({ chain, key, facts }) => [chain, key, exact(JSON.stringify(facts))])
  const pack = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  const ends = new Uint32Array(parts.length)
  let at = 0
  parts.forEach((part, i) => {
    pack.set(part, at)
    at += part.length
    ends[i] = at
    part.fill(0)
  })
  const hosts = pairs.map(({ host: { id }, names, facts: { notAfter, keyType } }) => {
    return { id, names, notAfter, keyType }
  })
  const dates = new Float64Array(pairs.length * HOST_DATES)
  pairs.forEach(({ facts }, i) => {
    dates.set(datesOf(facts), i * HOST_DATES)
  })
  return transferred({ ...rest, pack, ends, dates, hosts }, [pack.buffer, ends.buffer, dates.buffer])
}

/** Begin and end of the leaf, and of the certificate of its chain that ends first. */
export function datesOf({ notBefore, notAfter, chain }: CertificateFacts): HostDates {
  let first: ChainCertificate | null = null
  for (const one of chain) {
    // Times of one form compare as text.
    if (one.needed && (first === null || one.notAfter < first.notAfter)) first = one
  }
  const [from, to] = first ? [Date.parse(first.notBefore), Date.parse(first.notAfter)] : [0, NEVER_MS]
  return [Date.parse(notBefore), Date.parse(notAfter), from, to]
}
