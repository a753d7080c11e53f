import { type NamedFacts, servingOf } from '../api/result.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { serverNameIn } from '../base/option-names.js'
import type { Snapshot } from '../generation/generation.js'
import { pickHost } from '../generation/pick-host.js'
import type { HostsOnDemand } from './hosts-on-demand.js'

/** The certificate served for a server name; `null` if the name is refused. */
export function servingFor(
  snapshot: Snapshot,
  onDemand: HostsOnDemand | null,
  servername: string,
): NamedFacts | null {
  const name = serverNameIn(servername)
  const listed = pickHost(snapshot, name)
  const host = typeof listed === 'object' ? listed : (onDemand?.peek(name) ?? listed)
  if (host === 'refused') return null
  if (host !== 'default') return deepFreeze({ ...host.facts, host: host.id })
  const { alternates: _, ...facts } = servingOf(snapshot.generation)
  return deepFreeze({ ...facts, host: null })
}
