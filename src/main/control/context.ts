import { basename } from 'node:path'

import type { Problem } from '../../workers/base/problem.js'
import type { ReloadEngine } from '../api/reload-engine.js'
import { type NamedFacts, type ReloadResult, servingOf } from '../api/result.js'
import { serverNameIn } from '../base/option-names.js'
import { coversName } from '../generation/generation.js'

/** The certificate of a context: `default`, or a server name that a host or the default certificate has. */
export function certificateOf(engine: ReloadEngine, context: string): NamedFacts | null {
  if (context === 'default') return { ...servingOf(engine.status().generation), host: null }
  const name = serverNameIn(context)
  const facts = engine.servingFor(name)
  return facts && (facts.host !== null || coversName([facts], name)) ? facts : null
}

/** What of a pass went wrong for one context: what is wrong with other hosts is none of its business. */
export function problemsFor(
  result: ReloadResult,
  context: string,
  certificate: NamedFacts | null,
): readonly Problem[] {
  const { outcome, problems, hosts, diff } = result
  // Where hosts go together, what another host did has kept this one from being renewed.
  const heldBack =
    outcome === 'rejected' && (diff !== null || (hosts?.changed ?? 0) + (hosts?.removed ?? 0) > 0)
  if (heldBack) return problems
  return problems.filter(({ host, path }) => {
    if (host !== undefined)
      return (
        host === certificate?.host || basename(host) === context || basename(host) === serverNameIn(context)
      )
    // Without a path it is no file but the worker, and that is everybody's.
    return path === undefined || certificate?.host === null
  })
}
