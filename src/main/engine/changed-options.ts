import { isDeepStrictEqual } from 'node:util'

import type { EngineChanges, ReloadEngineOptions } from '../api/options.js'
import { ReloadError } from '../base/errors.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import type { Reloader } from '../reload/reloader.js'
import { assertOptionsSupported } from '../runtime/runtime-support.js'
import { onDemandSource } from './on-demand-options.js'
import { mergeChanges, resolveOptions } from './resolve-options.js'

/**
 * The options of a running engine with changes applied.
 *
 * @throws ReloadError `OPTIONS_INVALID` or `RUNTIME_UNSUPPORTED`
 */
export function changedOptions(
  before: ReloadEngineOptions,
  changes: EngineChanges,
  reloader: Reloader,
): { input: ReloadEngineOptions; options: ResolvedOptions } {
  const input = mergeChanges(before, changes)
  const options = resolveOptions(input)
  const served = reloader.served.options
  if ((options.hosts === null) !== (served.hosts === null))
    throw refused(
      '`hosts` cannot be added or removed, because servers are created with or without it; start with `hosts: {}`',
    )
  const sourceOf = ({ hosts, source }: ReloadEngineOptions) => onDemandSource(hosts, source)
  if (sourceOf(before) !== sourceOf(input) || !isDeepStrictEqual(options.onDemand, served.onDemand))
    throw refused('`hosts.onDemand` cannot be changed while the engine runs; start a new engine with it')
  assertOptionsSupported(options)
  reloader.assertAnchorsConfigured(options)
  return { input, options }
}

function refused(what: string): ReloadError {
  return new ReloadError('OPTIONS_INVALID', `update: ${what}`)
}
