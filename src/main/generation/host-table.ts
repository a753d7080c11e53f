import { NEVER_MS } from '../../workers/protocol/ends.js'
import { HOST_DATES } from '../../workers/protocol/hosts.js'
import type { Host } from './host.js'
import { ANY_CLAIM, type NameClaims, wildcardOf } from './name-claims.js'

/** Two hosts, or a host and the default certificate (`null`), that claim one name. */
export interface NameConflict {
  readonly name: string
  /** The one that serves the name. */
  readonly served: string | null
  readonly other: string | null
}

/** Hosts processed in one step. */
const HOSTS_PER_STEP = 250

/** All hosts of one generation. Immutable; a look-up takes at most two map reads, for any number of hosts. */
export class HostTable {
  static readonly empty: HostTable = new HostTable(
    new Map(),
    new Map(),
    new Map(),
    [],
    ANY_CLAIM,
    new Float64Array(),
  )
  readonly byId: ReadonlyMap<string, Host>
  /** The hosts that have an OCSP response, by the fingerprint of the leaf that it is for. */
  readonly stapled: ReadonlyMap<string, Host>
  readonly conflicts: readonly NameConflict[]
  /** The claims that it was built with. */
  readonly claims: NameClaims
  /** The `HostDates` of every host, in the order of `byId`. */
  readonly dates: Float64Array
  /** `null` for a name of the default certificate that no host may serve. */
  readonly #byName: ReadonlyMap<string, Host | null>

  private constructor(
    byId: ReadonlyMap<string, Host>,
    byName: ReadonlyMap<string, Host | null>,
    stapled: ReadonlyMap<string, Host>,
    conflicts: readonly NameConflict[],
    claims: NameClaims,
    dates: Float64Array,
  ) {
    this.byId = byId
    this.stapled = stapled
    this.conflicts = conflicts
    this.claims = claims
    this.dates = dates
    this.#byName = byName
  }

  /** A new table with some hosts changed and others removed, built in steps. */
  *after(
    changed: readonly Host[],
    removed: readonly string[],
    claims: NameClaims = ANY_CLAIM,
  ): Generator<void, HostTable, void> {
    const byId = new Map<string, Host>()
    const removedIds = new Set(removed)
    yield* inSteps(this.byId.values(), (host) => {
      if (!removedIds.has(host.id)) byId.set(host.id, host)
    })
    yield* inSteps(changed, (host) => byId.set(host.id, host))
    const byName = new Map<string, Host | null>()
    const stapled = new Map<string, Host>()
    const conflicts: NameConflict[] = []
    const dates = new Float64Array(byId.size * HOST_DATES)
    let at = 0
    yield* inSteps(byId.values(), (host) => {
      for (let i = 0; i < HOST_DATES; i++) dates[at++] = host.dates[host.datesAt + i] as number
      if (host.stapledLeaf !== undefined) stapled.set(host.stapledLeaf, host)
      for (const name of host.names) {
        if (claims.claimsDefault(host, name)) {
          const may = claims.mayClaim(host)
          conflicts.push({ name, served: may ? host.id : null, other: may ? null : host.id })
          if (!may) continue
        }
        const rival = byName.get(name)
        const wins = !rival || claims.takesPrecedence(host, rival, name)
        if (wins) byName.set(name, host)
        if (!rival) continue
        const [served, other] = wins ? [host, rival] : [rival, host]
        conflicts.push({ name, served: served.id, other: other.id })
      }
    })
    for (const name of claims.defaultNames) {
      const host = byName.get(wildcardOf(name))
      if (!host || byName.has(name) || name.startsWith('*') || claims.isDefault(host)) continue
      const may = claims.mayClaim(host)
      conflicts.push({ name, served: may ? host.id : null, other: may ? null : host.id })
      if (!may) byName.set(name, null)
    }
    return new HostTable(byId, byName, stapled, conflicts, claims, dates)
  }

  /** The host of a server name: an exact entry, or else a wildcard for its first label (RFC 9525, section 6.3). */
  find(servername: string): Host | undefined {
    const name = servername.toLowerCase()
    const own = this.#byName.get(name)
    return (own === undefined ? this.#byName.get(wildcardOf(name)) : own) ?? undefined
  }

  /** The host whose leaf, chain or OCSP response ends first; `null` where no host has one that ends. */
  soonest(part: 'leaf' | 'chain' | 'ocsp'): SoonestHost | null {
    const offset = OFFSETS[part]
    let first = -1
    let end = NEVER_MS
    for (let at = offset + 1; at < this.dates.length; at += HOST_DATES) {
      const other = this.dates[at] as number
      if (other >= end) continue
      end = other
      first = at
    }
    if (first < 0) return null
    const host = this.hostAt(Math.floor(first / HOST_DATES))
    return { host, fromMs: this.dates[first - 1] as number, toMs: end }
  }

  /** The host at this position of `byId`. Linear time. */
  hostAt(index: number): Host {
    let at = 0
    for (const host of this.byId.values()) if (at++ === index) return host
    throw new RangeError(`there is no host ${index}`)
  }
}

/** Where the dates of a part begin in `HostDates`. */
const OFFSETS = { leaf: 0, chain: 2, ocsp: 4 } as const

/** A host, and the dates of one of its parts in milliseconds since 1970. */
export interface SoonestHost {
  readonly host: Host
  readonly fromMs: number
  readonly toMs: number
}

export function* inSteps<T>(items: Iterable<T>, act: (item: T) => void): Generator<void, void, void> {
  let count = 0
  for (const item of items) {
    act(item)
    if (++count % HOSTS_PER_STEP === 0) yield
  }
}
