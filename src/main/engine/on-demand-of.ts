import type { ReloadEngineOptions } from '../api/options.js'
import type { OnDemand, OnDemandEngine } from '../feed/open-on-demand.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { onDemandSource } from './on-demand-options.js'

/** An engine without hosts on demand loads none of their code. */
export async function onDemandOf(
  input: ReloadEngineOptions,
  options: ResolvedOptions,
  engine: OnDemandEngine,
): Promise<OnDemand | null> {
  const source = onDemandSource(input.hosts, input.source)
  if (source === null || options.onDemand === null) return null
  const { openOnDemand } = await import('../feed/open-on-demand.js')
  return openOnDemand(source, source === input.source, options.onDemand, engine)
}
