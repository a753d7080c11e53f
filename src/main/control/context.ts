import { basename } from 'node:path'

import type { Problem } from '../../workers/base/problem.js'
import type { ReloadEngine } from '../api/reload-engine.js'
import { type NamedFacts, type ReloadResult, servingOf } from '../api/result.js'
import { serverNameIn } from '../base/option-names.js'
import { coversName } from '../generation/generation.js'

/** The certificate of a context: `default`, or a server name of a host or of the default certificate. */
export function certificateOf(engine: ReloadEngine, context: string): NamedFacts | null {
  if (context === 'default') return { ...servingOf(engine.status().generation), host: null }
  const name = serverNameIn(context)
  const facts = engine.servingFor(name)
  return facts && (facts.host !== null || coversName([facts], name)) ? facts : null
}

/** The problems of a pass that concern one context; problems of other hosts are left out. */
export function problemsFor(
  result: ReloadResult,
  context: string,
  certificate: NamedFacts | null,
): readonly Problem[] {
  const { outcome, problems, hosts, diff } = result
  // If hosts are reloaded all or none, the problem of another host has kept this one from being renewed.
  const heldBack =
    outcome === 'rejected' && (diff !== null || (hosts?.changed ?? 0) + (hosts?.removed ?? 0) > 0)
  if (heldBack) return problems
  return problems.filter(({ host, path }) => {
    if (host !== undefined)
      return (
        host === certificate?.host || basename(host) === context || basename(host) === serverNameIn(context)
      )
    // A problem without a path concerns the worker, and so every context.
    return path === undefined || certificate?.host === null
  })
}
