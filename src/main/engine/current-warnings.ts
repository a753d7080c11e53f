import type { Problem } from '../../workers/base/problem.js'
import { MAX_NAMED, namesHost } from '../../workers/problems/dated-problem.js'
import { DATED_CODES, earlyProblem, expiredProblem } from '../../workers/problems/out-of-date.js'
import type { WatchedKind } from '../../workers/protocol/end-kinds.js'
import type { Generation } from '../api/generation.js'
import type { ReloadResult } from '../api/result.js'
import { deepFreeze } from '../base/deep-freeze.js'
import type { DatedSet } from './dated-set.js'
import type { OutOfDate } from './set-watch.js'

/** One warning for each kind of expired material in a set, and one for each kind that is not valid yet. */
export function datedWarnings(set: DatedSet, { expired, early }: OutOfDate): readonly Problem[] {
  const describe = (indexes: readonly number[]) =>
    indexes.slice(0, MAX_NAMED).map((index) => set.describe(index))
  return [
    ...byKind(set, expired).map(([kind, places]) => expiredProblem(kind, describe(places), places.length)),
    ...byKind(set, early).map(([kind, places]) => earlyProblem(kind, describe(places), places.length)),
  ]
}

function byKind(set: DatedSet, places: readonly number[]): [WatchedKind, number[]][] {
  const groups = new Map<WatchedKind, number[]>()
  for (const index of places) {
    const kind = set.kindOf(index)
    const group = groups.get(kind) ?? []
    groups.set(kind, group)
    group.push(index)
  }
  return [...groups]
}

/** Current warnings of the served generation: warnings about dates depend on the current time, not on the time of loading. */
function currentWarnings(loaded: readonly Problem[], dated: readonly Problem[]): readonly Problem[] {
  const lasting = loaded.filter((warning) => !DATED_CODES.has(warning.code) || isOnlyLoaded(warning, dated))
  if (lasting.length === loaded.length && dated.length === 0) return loaded
  // At the position of the warnings about dates from the load, or else first, because clients are affected now.
  const place = Math.max(
    0,
    loaded.findIndex(({ code }) => DATED_CODES.has(code)),
  )
  return [...lasting.slice(0, place), ...dated, ...lasting.slice(place)]
}

/** Unneeded certificates in a host's chain are not watched, so the warnings from their load remain. */
function isOnlyLoaded({ host }: Problem, dated: readonly Problem[]): boolean {
  return host !== undefined && !dated.some((one) => namesHost(one, host))
}

/** A generation with its current warnings. */
export function withCurrentWarnings(generation: Generation, dated: readonly Problem[]): Generation {
  const warnings = currentWarnings(generation.warnings, dated)
  return warnings === generation.warnings ? generation : deepFreeze({ ...generation, warnings })
}

/** A result with additional warnings about served material that is expired or not valid yet. */
export function withDated(result: ReloadResult, dated: readonly Problem[]): ReloadResult {
  if (result.outcome === 'applied') {
    const warnings = currentWarnings(result.warnings, dated)
    return warnings === result.warnings ? result : deepFreeze({ ...result, warnings })
  }
  const isKnown = ({ code, message }: Problem) =>
    result.warnings.some((one) => one.code === code && one.message === message)
  const more = dated.filter((one) => !isKnown(one))
  return more.length === 0 ? result : deepFreeze({ ...result, warnings: [...more, ...result.warnings] })
}
