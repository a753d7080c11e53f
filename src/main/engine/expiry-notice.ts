import { END_KINDS } from '../../workers/protocol/end-kinds.js'
import type { ExpiryNotice } from '../api/status.js'
import { deepFreeze } from '../base/deep-freeze.js'
import type { Logger } from '../base/logger.js'
import type { DatedSet } from './dated-set.js'
import type { Comparison, Passed } from './set-watch.js'
import type { Thresholds } from './thresholds.js'

/** Maximum number of ends that a notice describes in addition to the first. */
const MAX_OTHERS = 20

export function logNotice(logger: Logger, notice: ExpiryNotice): void {
  const { others, ...fields } = notice
  const named = others.map(({ name, host, notAfter }) => `${host ?? name} (${notAfter})`)
  const line = named.length === 0 ? fields : { ...fields, others: named }
  const { soon, ended } = END_KINDS[notice.kind].log
  if (notice.leftMs <= 0) logger.error(line, ended)
  else logger.warn(line, soon)
}

/** The notice for ends that passed a threshold together. */
export function noticeOf(
  { kind, level, indexes }: Passed,
  set: DatedSet,
  thresholds: Thresholds,
  generation: number,
  nowMs: number,
): ExpiryNotice {
  const [first, ...others] = indexes as readonly [number, ...number[]]
  const [fromMs, toMs] = set.dates.subarray(first * 2) as unknown as [number, number]
  return deepFreeze({
    generation,
    ...set.describe(first),
    kind,
    thresholdDays: thresholds.leadMs(level, toMs - fromMs) / DAY_MS,
    leftMs: toMs - nowMs,
    others: others.slice(0, MAX_OTHERS).map((index) => set.describe(index)),
    count: indexes.length,
  })
}

const DAY_MS = 86_400_000

/**
 * Logs when expired material is no longer served, or is valid again because the clock was set back. If the clock was set back
 * further, the served material is not valid yet, and OpenSSL refuses clients.
 */
export function logChanges(
  logger: Logger,
  generation: number,
  { set, recovered, early, begun, isReplaced }: Comparison,
): void {
  const log = (level: 'info' | 'error', keys: readonly string[], message: string) => {
    if (keys.length === 0) return
    const named = keys.slice(0, MAX_OTHERS).map((key) => set.named(key))
    const kinds = [...new Set(named.map(({ kind }) => kind))]
    logger[level]({ generation, kinds, names: named.map(({ name }) => name), count: keys.length }, message)
  }
  const ended = isReplaced
    ? 'expired material is no longer served'
    : 'expired material is valid again: the clock was set back'
  log('info', recovered, ended)
  log(
    'error',
    early,
    'served material is not valid yet: check the clock of this machine, which may have been set back',
  )
  log('info', begun, 'served material has become valid')
}
