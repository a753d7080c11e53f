import { EXPIRED_CODES, expiredProblem, MOST_NAMED, namesHost } from '../../workers/expired.js'
import type { Problem } from '../../workers/problem.js'
import { deepFreeze } from '../deep-freeze.js'
import type { Generation } from '../generation/generation.js'
import type { ReloadResult } from '../result.js'
import type { DatedSet } from './dated-set.js'
import type { WatchedKind } from './earliest-ends.js'

/** One warning for each kind of what has expired in a set: `expired` are places in it. */
export function expiredWarnings(set: DatedSet, expired: readonly number[]): readonly Problem[] {
  const byKind = new Map<WatchedKind, number[]>()
  for (const index of expired) {
    const kind = set.kindOf(index)
    const indexes = byKind.get(kind) ?? []
    byKind.set(kind, indexes)
    indexes.push(index)
  }
  return [...byKind].map(([kind, indexes]) => {
    const first = indexes.slice(0, MOST_NAMED).map((index) => set.describe(index))
    return expiredProblem(kind, first, indexes.length)
  })
}

/**
 * Warnings of what is served, as of now: the time decides which of it has expired, and not what was found when it was loaded.
 */
function currentWarnings(loaded: readonly Problem[], expired: readonly Problem[]): readonly Problem[] {
  const lasting = loaded.filter(
    (warning) => !EXPIRED_CODES.has(warning.code) || isOnlyLoaded(warning, expired),
  )
  if (lasting.length === loaded.length && expired.length === 0) return loaded
  // In the place of those that were found when it was loaded, or else first: it refuses clients now.
  const place = Math.max(
    0,
    loaded.findIndex(({ code }) => EXPIRED_CODES.has(code)),
  )
  return [...lasting.slice(0, place), ...expired, ...lasting.slice(place)]
}

/** Certificates in a host's chain that clients do not need are not watched. What was found when they were loaded holds. */
function isOnlyLoaded({ host }: Problem, expired: readonly Problem[]): boolean {
  return host !== undefined && !expired.some((one) => namesHost(one, host))
}

/** A generation with its warnings as of now. */
export function asOfNow(generation: Generation, expired: readonly Problem[]): Generation {
  const warnings = currentWarnings(generation.warnings, expired)
  return warnings === generation.warnings ? generation : deepFreeze({ ...generation, warnings })
}

/** A result with warnings about everything that is served and has expired, whatever the pass found in the files. */
export function withExpired(result: ReloadResult, expired: readonly Problem[]): ReloadResult {
  if (result.outcome === 'applied') {
    const warnings = currentWarnings(result.warnings, expired)
    return warnings === result.warnings ? result : deepFreeze({ ...result, warnings })
  }
  const isKnown = ({ code, message }: Problem) =>
    result.warnings.some((one) => one.code === code && one.message === message)
  const more = expired.filter((one) => !isKnown(one))
  return more.length === 0 ? result : deepFreeze({ ...result, warnings: [...more, ...result.warnings] })
}
