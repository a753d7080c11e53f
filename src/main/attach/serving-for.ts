import { type NamedFacts, servingOf } from '../api/result.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { serverNameIn } from '../base/option-names.js'
import type { Snapshot } from '../generation/generation.js'
import { pickHost } from '../generation/pick-host.js'

/** The certificate served for a server name; `null` if the name is refused. */
export function servingFor(snapshot: Snapshot, servername: string): NamedFacts | null {
  const host = pickHost(snapshot, serverNameIn(servername))
  if (host === 'refused') return null
  if (host !== 'default') return deepFreeze({ ...host.facts, host: host.id })
  const { alternates: _, ...facts } = servingOf(snapshot.generation)
  return deepFreeze({ ...facts, host: null })
}
