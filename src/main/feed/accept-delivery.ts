import { types } from 'node:util'

import { exact } from '../../workers/base/exact.js'
import { toSharedJson } from '../../workers/base/shared-json.js'
import { trustDomainIn } from '../../workers/formats/spiffe-id.js'
import {
  type DeliveredHostName,
  type DeliveredItem,
  type DeliveredRole,
  type DeliveredSet,
  deliveredHostId,
  deliveredId,
} from '../../workers/protocol/delivery.js'
import { type DeliveredBytes, type Delivery, SourceError } from '../api/source.js'
import { hostNameIn } from '../base/option-names.js'
import { runInSlices } from '../generation/slices.js'
import type { HeldDelivery } from '../reload/material-feed.js'

/** Limits of a delivery, in bytes. */
export interface DeliveryLimits {
  /** The largest certificate, key or bundle. */
  readonly maxFileBytes: number
  /** The largest item of trust anchors or revocation lists. */
  readonly maxTrustBytes: number
  /** Receives each copy. */
  readonly copied?: (copy: Uint8Array) => void
}

const MAX_PAIRS = 8
const MAX_TRUST_ITEMS = 4096
const MAX_HOSTS = 100_000
const HOSTS_PER_STEP = 100

/** Printable ASCII, because it is shown and compared. */
const VERSION = /^[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?$/

/**
 * Checks the form of a delivery and copies its bytes. The worker judges the content.
 *
 * @throws SourceError `SOURCE_INVALID`, without any part of the delivery in the message.
 */
export async function acceptDelivery(
  given: unknown,
  source: string,
  sizes: DeliveryLimits,
): Promise<HeldDelivery> {
  const copies: Uint8Array[] = []
  try {
    return await copyDelivery(given, source, { ...sizes, copied: (copy) => copies.push(copy) })
  } catch (error) {
    // The parts before the one that is refused: they may be keys.
    for (const copy of copies) copy.fill(0)
    throw error
  }
}

async function copyDelivery(given: unknown, source: string, limits: DeliveryLimits): Promise<HeldDelivery> {
  if (!isObject(given)) throw invalid('expected a delivery or `unchanged`')
  const delivery = given as unknown as Delivery
  const version = versionOf(delivery.version, 'version')
  const revision = revisionOf(delivery.revision)
  const items = [
    ...list(delivery.pairs, 'pairs', 1, MAX_PAIRS).flatMap((pair, i) => {
      const idOf = (part: string) => deliveredId(source, numbered(part, i))
      return pairItems(pair, numbered('pairs', i), idOf, limits)
    }),
    ...trustItems(delivery.ca, 'ca', source, limits),
    ...domainItems(delivery.trustDomains, source, limits),
    ...trustItems(delivery.crl, 'crl', source, limits),
  ]
  const set = { source, version, items }
  const lists = delivery.crl?.length ?? null
  if (delivery.hosts === undefined) return { version, revision, set, lists, hosts: null }
  const hosts = list(delivery.hosts, 'hosts', 0, MAX_HOSTS)
  return {
    version,
    revision,
    set,
    lists,
    hosts: await runInSlices(heldHosts(hosts, source, limits), { longestMs: 0 }),
  }
}

function* heldHosts(
  hosts: readonly unknown[],
  source: string,
  limits: DeliveryLimits,
): Generator<void, NonNullable<HeldDelivery['hosts']>, void> {
  const names: DeliveredHostName[] = []
  const sets = new Map<string, DeliveredSet>()
  for (const [i, host] of hosts.entries()) {
    const where = numbered('hosts', i)
    if (!isObject(host)) throw invalid(`\`${where}\`: expected an object`)
    const name = hostName(host['name'], where)
    if (sets.has(name)) throw invalid(`\`${where}\`: the name occurs twice`)
    const version = versionOf(host['version'], `${where}.version`)
    const items = pairItems(host, where, (part) => deliveredHostId(source, name, part), limits)
    names.push({ name, version })
    sets.set(name, { source, version, items })
    if (i % HOSTS_PER_STEP === HOSTS_PER_STEP - 1) yield
  }
  return { source, list: toSharedJson(names), sets }
}

function hostName(given: unknown, where: string): string {
  const name = typeof given === 'string' ? hostNameIn(given) : null
  if (name && 'name' in name) return name.name
  throw invalid(`\`${where}.name\`: expected a DNS name`)
}

/** The items of a pair. Also used for a single host. */
export function pairItems(
  pair: unknown,
  where: string,
  idOf: (part: string) => string,
  limits: DeliveryLimits,
): DeliveredItem[] {
  if (!isObject(pair)) throw invalid(`\`${where}\`: expected an object`)
  const { cert, key, bundle } = pair
  const item = (role: DeliveredRole, part: string, given: unknown): DeliveredItem => {
    return { role, id: idOf(part), bytes: copyOf(given, `${where}.${part}`, limits.maxFileBytes, limits) }
  }
  if (bundle !== undefined) {
    if (cert !== undefined || key !== undefined)
      throw invalid(`\`${where}\`: expected either \`bundle\`, or \`cert\` and \`key\``)
    return [item('cert', 'bundle', bundle), item('key', 'bundle', bundle)]
  }
  return [item('cert', 'cert', cert), item('key', 'key', key)]
}

function trustItems(
  given: readonly DeliveredBytes[] | undefined,
  role: 'ca' | 'crl',
  source: string,
  limits: DeliveryLimits,
): DeliveredItem[] {
  if (given === undefined) return []
  return list(given, role, 0, MAX_TRUST_ITEMS).map((bytes, i) => {
    const part = numbered(role, i)
    return { role, id: deliveredId(source, part), bytes: copyOf(bytes, part, limits.maxTrustBytes, limits) }
  })
}

/** At least one anchor, because without any, the anchors of files would verify peers of every domain. */
function domainItems(given: unknown, source: string, limits: DeliveryLimits): DeliveredItem[] {
  if (given === undefined) return []
  if (!isObject(given)) throw invalid('`trustDomains`: expected an object')
  const items = Object.entries(given).flatMap(([domain, anchors]) => {
    if (trustDomainIn(domain) !== domain)
      throw invalid('`trustDomains`: expected names of trust domains, such as `example.org`')
    const part = `trustDomains/${domain}`
    return list(anchors, part, 0, MAX_TRUST_ITEMS).map((bytes, i): DeliveredItem => {
      const id = deliveredId(source, numbered(part, i))
      return {
        role: 'domain-ca',
        id,
        domain,
        bytes: copyOf(bytes, numbered(part, i), limits.maxTrustBytes, limits),
      }
    })
  })
  if (items.length > 0 && items.length <= MAX_TRUST_ITEMS) return items
  throw invalid(`\`trustDomains\`: expected 1 to ${MAX_TRUST_ITEMS} items with trust anchors`)
}

function copyOf(
  given: unknown,
  where: string,
  maxBytes: number,
  { copied }: Pick<DeliveryLimits, 'copied'>,
): Uint8Array {
  if (typeof given !== 'string' && !types.isUint8Array(given))
    throw invalid(`\`${where}\`: expected PEM text, or PEM or DER in a Uint8Array`)
  const copy = typeof given === 'string' ? exact(given) : Uint8Array.from(given)
  copied?.(copy)
  if (copy.length > 0 && copy.length <= maxBytes) return copy
  const { length } = copy
  copy.fill(0)
  if (length === 0) throw invalid(`\`${where}\` is empty`)
  throw invalid(`\`${where}\` has ${length} bytes, more than the limit of ${maxBytes}`)
}

/** The version of a delivery or a host. */
export function versionOf(given: unknown, where: string): string {
  if (typeof given === 'string' && VERSION.test(given)) return given
  throw invalid(`\`${where}\`: expected 1 to 256 printable ASCII characters`)
}

/** The revision of a delivery or a host; `null` without one. */
export function revisionOf(given: unknown): bigint | null {
  if (given === undefined) return null
  const isWhole = typeof given === 'bigint' || (typeof given === 'number' && Number.isSafeInteger(given))
  if (isWhole && given >= 0) return BigInt(given as number | bigint)
  throw invalid('`revision`: expected an integer >= 0 (a bigint above 2^53 - 1)')
}

function list(given: unknown, where: string, min: number, max: number): readonly unknown[] {
  if (Array.isArray(given) && given.length >= min && given.length <= max) return given
  throw invalid(`\`${where}\`: expected an array of ${min} to ${max} items`)
}

/** `cert`, then `cert[2]`. */
function numbered(part: string, index: number): string {
  return index === 0 ? part : `${part}[${index + 1}]`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function invalid(what: string): SourceError {
  return new SourceError('SOURCE_INVALID', `the delivery is not usable: ${what}`)
}
