import type { DeliveredItem } from '../../workers/protocol/delivery.js'
import type { DeliveredHost, DeliveredPair } from '../api/source.js'
import type { HeldDelivery } from '../reload/material-feed.js'
import type { DeliveredMaterial } from './delivery-bytes.js'

/** The engine's copy of a delivery in the form of a source, which is checked as a delivery when it is read again. */
export function materialIn({ set: { items }, lists, hosts }: HeldDelivery): DeliveredMaterial {
  const bytesOf = (role: 'ca' | 'crl') => items.filter((item) => item.role === role).map(({ bytes }) => bytes)
  return {
    pairs: pairsIn(items),
    ca: bytesOf('ca'),
    ...domainsIn(items),
    ...(lists === null ? {} : { crl: bytesOf('crl') }),
    ...(hosts
      ? { hosts: [...hosts.sets].flatMap(([name, { version, items }]) => hostsIn(name, version, items)) }
      : {}),
  }
}

/** Absent without trust domains: then any anchor may verify any peer. */
function domainsIn(items: readonly DeliveredItem[]): Pick<DeliveredMaterial, 'trustDomains'> {
  const domains = new Map<string, Uint8Array[]>()
  for (const { domain, bytes } of items) {
    if (domain !== undefined) domains.set(domain, [...(domains.get(domain) ?? []), bytes])
  }
  return domains.size === 0 ? {} : { trustDomains: Object.fromEntries(domains) }
}

function hostsIn(name: string, version: string, items: readonly DeliveredItem[]): DeliveredHost[] {
  return pairsIn(items).map((pair) => ({ name, version, ...pair }))
}

/** Each certificate is followed by its key; both have the same id in a bundle. */
function pairsIn(items: readonly DeliveredItem[]): DeliveredPair[] {
  return items.flatMap(({ role, id, bytes }, i) => {
    const key = items[i + 1]
    if (role !== 'cert' || !key) return []
    return [key.id === id ? { bundle: bytes } : { cert: bytes, key: key.bytes }]
  })
}
