import { isDeepStrictEqual } from 'node:util'

import { HOST_DATES } from '../../workers/protocol/hosts.js'
import { PAIR_PARTS, type PreparedPair } from '../../workers/protocol/material.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import type { ServedMaterial, Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import type { Bytes, WireHost, WirePair, WireSnapshot, WireTrust } from './messages.js'

/** A generation as a difference to `before`. Its hosts are sent separately, before it. */
export function wireSnapshot(
  { generation, material, options }: Snapshot,
  before: Snapshot | null,
  removedHosts: readonly string[],
  asText: boolean,
): WireSnapshot {
  const pack = packer(asText)
  const { logger: _, source: __, lastGood: ___, sources, ...rest } = options
  return {
    generation,
    // The rules are part of the trust.
    options: { ...rest, sources: { ...sources, passphrase: null, peerRules: null } },
    pairs: material.pairs.map((pair) => wirePair(pair, asText)),
    trust: material.trust === before?.material.trust ? 'served' : wireTrust(material.trust, asText),
    dhparam: material.dhparam && pack(material.dhparam),
    ticketSecret: material.ticketSecret && pack(material.ticketSecret),
    removedHosts,
  }
}

export function wireHost(host: Host, asText: boolean): WireHost {
  const { id, names, notAfter, keyType, facts, datesAt, stapledLeaf } = host
  const dates = Array.from({ length: HOST_DATES }, (_, i) => host.dates[datesAt + i] as number)
  return {
    id,
    names,
    notAfter,
    keyType,
    facts,
    dates,
    datesAt: 0,
    pair: wirePair(host.pair, asText),
    ...(stapledLeaf === undefined ? {} : { stapledLeaf }),
  }
}

export function hostOf({ pair, ...host }: WireHost): Host {
  return { ...host, pair: pairOf(pair) }
}

/** The material of a generation; unchanged parts come from the previous one. */
export function materialOf(wire: WireSnapshot, before: Snapshot | null): ServedMaterial {
  return {
    pairs: wire.pairs.map(pairOf),
    trust: wire.trust === 'served' ? (before as Snapshot).material.trust : trustOf(wire.trust),
    dhparam: wire.dhparam === null ? null : bytesOf(wire.dhparam),
    ticketSecret: wire.ticketSecret === null ? null : bytesOf(wire.ticketSecret),
  }
}

/** Reuses the previous object when nothing has changed, because contexts and spares are keyed by its identity. */
export function keptOptions(
  wire: WireSnapshot['options'],
  before: ResolvedOptions | undefined,
): ResolvedOptions {
  const next = { ...wire, logger: null, source: null, lastGood: null }
  return before && isDeepStrictEqual(before, next) ? before : next
}

export function packer(asText: boolean): (bytes: Uint8Array) => Bytes {
  // An exact copy: a view would send its whole underlying buffer.
  return asText ? (bytes) => Buffer.from(bytes).toString('base64') : (bytes) => new Uint8Array(bytes)
}

/** Bytes of a received message. They are used without a copy, because a copy would leave another key in memory. */
export function bytesOf(bytes: Bytes): Uint8Array {
  if (typeof bytes !== 'string') return bytes
  const decoded = Buffer.from(bytes, 'base64')
  const own = new Uint8Array(decoded)
  decoded.fill(0)
  return own
}

/** Overwrites the keys of a sent message if they are bytes. Text cannot be overwritten. */
export function wipeWire(pairs: readonly WirePair[]): void {
  for (const { key } of pairs) if (typeof key !== 'string') key.fill(0)
}

function wirePair(pair: PreparedPair, asText: boolean): WirePair {
  const pack = packer(asText)
  return convertParts(pair, pack)
}

function wireTrust(
  { authorities, revocationLists, domains, peerRules, publicRoots, ends, problems }: PreparedTrust,
  asText: boolean,
): WireTrust {
  const pack = packer(asText)
  return {
    authorities: authorities && { pem: pack(authorities.pem), ends: [...authorities.ends] },
    revocationLists: revocationLists.map(pack),
    ...(domains && { domains }),
    ...(peerRules && { peerRules: pack(peerRules) }),
    ...(publicRoots && { publicRoots }),
    ends: { anchors: ends.anchors, dates: [...ends.dates], labels: pack(ends.labels) },
    problems,
  }
}

function pairOf(pair: WirePair): PreparedPair {
  return convertParts(pair, bytesOf)
}

type Parts<T> = { readonly [Part in keyof PreparedPair]: T }

function convertParts<From, To>(pair: Parts<From>, convert: (part: From) => To): Parts<To> {
  const parts = PAIR_PARTS.flatMap((name) => {
    const part = pair[name]
    return part === undefined ? [] : [[name, convert(part)] as const]
  })
  return Object.fromEntries(parts) as unknown as Parts<To>
}

function trustOf({
  authorities,
  revocationLists,
  domains,
  peerRules,
  publicRoots,
  ends,
  problems,
}: WireTrust): PreparedTrust {
  return {
    authorities: authorities && { pem: bytesOf(authorities.pem), ends: Uint32Array.from(authorities.ends) },
    revocationLists: revocationLists.map(bytesOf),
    ...(domains && { domains }),
    ...(peerRules && { peerRules: bytesOf(peerRules) }),
    ...(publicRoots && { publicRoots }),
    ends: {
      anchors: ends.anchors,
      dates: Float64Array.from(ends.dates),
      labels: bytesOf(ends.labels),
    },
    problems,
  }
}
