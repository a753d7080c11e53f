import { type EndKind, NEVER_MS } from '../../workers/material-ends.js'
import type { DatedSet } from './dated-set.js'
import { earliestEnds, type MaterialEnds } from './earliest-ends.js'
import { LONGEST_SLACK_MS, type Thresholds } from './thresholds.js'

/** Ends of one kind that passed the same threshold at the same comparison: reported together. */
export interface Passed {
  readonly kind: EndKind
  readonly level: number
  /** Places in the set, the end that comes first at the front. */
  readonly indexes: readonly number[]
}

/** What had expired and is valid again, or is not served any more. */
export interface Recovered {
  readonly kind: EndKind
  readonly name: string
}

/** What a comparison with the time found. */
export interface Comparison {
  readonly passed: readonly Passed[]
  readonly recovered: readonly Recovered[]
  /** Whether it was the first comparison of this set. */
  readonly isReplaced: boolean
}

interface Reported {
  readonly kind: EndKind
  readonly toMs: number
  readonly level: number
  /** For the report of its recovery; only of what has expired. */
  readonly name: string
}

/**
 * Compares the ends of one set with the wall clock. Most comparisons look at one number: the time of the next threshold of
 * the whole set. Each threshold of each end is reported once, across replacements of the set as well.
 */
export class SetWatch {
  readonly thresholds: Thresholds
  #set: DatedSet
  #ends: MaterialEnds
  #isNew = true
  /** What has been reported, by key. */
  #reported: ReadonlyMap<string, Reported> = new Map()
  /** The next threshold, and the time of the last comparison. */
  #dueMs = 0
  #lastMs = 0
  #expired: readonly number[] = []

  constructor(thresholds: Thresholds, set: DatedSet, nowMs: number) {
    this.thresholds = thresholds
    this.#set = set
    this.#ends = earliestEnds(set, nowMs)
  }

  get set(): DatedSet {
    return this.#set
  }

  /** The first end of each kind in the set. */
  get ends(): MaterialEnds {
    return this.#ends
  }

  replace(set: DatedSet, nowMs: number): void {
    this.#set = set
    this.#ends = earliestEnds(set, nowMs)
    this.#isNew = true
  }

  /** Milliseconds since 1970; nothing happens before, unless the clock goes back. */
  get dueMs(): number {
    return this.#dueMs
  }

  /** What has expired at the last comparison, as places in the set. */
  get expired(): readonly number[] {
    return this.#expired
  }

  /** Returns `null` where nothing can have changed since the last comparison. */
  compare(nowMs: number): Comparison | null {
    const isQuiet = !this.#isNew && nowMs < this.#dueMs && nowMs >= this.#lastMs
    this.#lastMs = nowMs
    return isQuiet ? null : this.#compareAll(nowMs)
  }

  #compareAll(nowMs: number): Comparison {
    const set = this.#set
    const { last, longestMs } = this.thresholds
    const before = this.#reported
    const isReplaced = this.#isNew
    const reported = new Map<string, Reported>()
    const passed = new Map<string, Group>()
    const expired: number[] = []
    let dueMs = NEVER_MS
    for (let index = 0; index < set.count; index++) {
      const toMs = set.toMs(index)
      const lifeMs = toMs - set.fromMs(index)
      const leftMs = toMs - nowMs
      const level = this.thresholds.levelAt(leftMs, lifeMs)
      if (level < last) dueMs = Math.min(dueMs, toMs - this.thresholds.leadMs(level + 1, lifeMs))
      else expired.push(index)
      const isFar = leftMs > longestMs + LONGEST_SLACK_MS
      if (isFar || (level < 0 && before.size === 0)) continue
      const kind = set.kindOf(index)
      if (kind === 'spare') continue
      const key = set.keyOf(index)
      const former = levelBefore(before.get(key), toMs)
      const reached = this.thresholds.levelAfter(former, leftMs, lifeMs)
      if (reached < 0) continue
      const name = reached === last ? set.nameOf(index) : ''
      reported.set(key, { kind, toMs, level: reached, name })
      // An anchor that has expired before it is loaded is a warning of that load.
      const isOld = this.#isNew && kind === 'ca' && level === last
      if (level > former && !isOld) addTo(passed, kind, level, index)
    }
    this.#reported = reported
    this.#expired = expired
    this.#dueMs = dueMs
    this.#isNew = false
    for (const { indexes } of passed.values()) indexes.sort((a, b) => set.toMs(a) - set.toMs(b))
    return { passed: [...passed.values()], recovered: recoveredOf(before, reported, last), isReplaced }
  }
}

interface Group extends Passed {
  readonly indexes: number[]
}

function addTo(groups: Map<string, Group>, kind: EndKind, level: number, index: number): void {
  const key = `${kind} ${level}`
  const group = groups.get(key) ?? { kind, level, indexes: [] }
  group.indexes.push(index)
  groups.set(key, group)
}

/** With another end it is another certificate, of which nothing has been reported. */
function levelBefore(reported: Reported | undefined, toMs: number): number {
  return reported?.toMs === toMs ? reported.level : -1
}

function recoveredOf(
  before: ReadonlyMap<string, Reported>,
  after: ReadonlyMap<string, Reported>,
  last: number,
): Recovered[] {
  const recovered: Recovered[] = []
  for (const [key, { kind, name, toMs, level }] of before) {
    if (level === last && levelBefore(after.get(key), toMs) !== last) recovered.push({ kind, name })
  }
  return recovered
}
