import type { EndKind } from '../../workers/protocol/end-kinds.js'
import { NEVER_MS } from '../../workers/protocol/ends.js'
import type { DatedSet } from './dated-set.js'
import type { MaterialEnds } from './earliest-ends.js'
import { MAX_SLACK_MS, type Thresholds } from './thresholds.js'

/** Ends of one kind that passed the same threshold at the same comparison: reported together. */
export interface Passed {
  readonly kind: EndKind
  readonly level: number
  /** Indexes in the set, earliest end first. */
  readonly indexes: readonly number[]
}

/** The result of a comparison with the time. */
export interface Comparison {
  /** The compared set. The watch may have another one when this is reported. */
  readonly set: DatedSet
  readonly passed: readonly Passed[]
  /** Keys of items that had expired and are valid again, or are no longer served. */
  readonly recovered: readonly string[]
  /** Keys of items that are not valid yet, without those known from the last comparison or reported at the load. */
  readonly early: readonly string[]
  /** Keys of items that have become valid. */
  readonly begun: readonly string[]
  /** Whether it was the first comparison of this set. */
  readonly isReplaced: boolean
}

/** Indexes of the items of a set that are not valid now. */
export interface OutOfDate {
  readonly expired: readonly number[]
  /** Items that are not valid yet, including `spare` certificates. */
  readonly early: readonly number[]
}

/**
 * Reported ends and levels by key. One number each, see {@link reportOf}, because ten thousand hosts may be near their end at
 * the same time.
 */
type Reports = ReadonlyMap<string, number>

/**
 * Compares the ends of one set with the wall clock: expired items synchronously, passed thresholds in steps. Most comparisons
 * only read two numbers, the next end and the next threshold of the whole set. Each threshold of each end is reported once,
 * even if the set is replaced.
 */
export class SetWatch {
  readonly thresholds: Thresholds
  #set: DatedSet
  #ends: MaterialEnds
  #reports: Reports = new Map()
  #loadedMs: number
  /** Whether the set has not been compared yet. */
  #isNew = true
  /** Keys of the items that were not valid yet at the last comparison. */
  #early: ReadonlySet<string> = new Set()
  /** The next threshold, and the time of the last comparison. */
  #dueMs = 0
  #comparedMs = 0
  /** The last result of {@link outOfDateAt}, the time at which it was computed, and the time at which it changes. */
  #outOfDate: OutOfDate = { expired: [], early: [] }
  #computedMs = 0
  #changeMs = 0

  constructor(thresholds: Thresholds, set: DatedSet, nowMs: number) {
    this.thresholds = thresholds
    this.#set = set
    this.#ends = set.endsAt(nowMs)
    this.#loadedMs = nowMs
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
    this.#ends = set.endsAt(nowMs)
    this.#loadedMs = nowMs
    this.#isNew = true
    this.#changeMs = 0
  }

  /** The items that are not valid at this time. The same object while nothing changes. */
  outOfDateAt(nowMs: number): OutOfDate {
    if (nowMs < this.#changeMs && nowMs >= this.#computedMs) return this.#outOfDate
    const { dates } = this.#set
    const expired: number[] = []
    const early: number[] = []
    let changeMs = Number.POSITIVE_INFINITY
    for (let at = 0; at < dates.length; at += 2) {
      const toMs = dates[at + 1] as number
      if (toMs <= nowMs) {
        expired.push(at >> 1)
        continue
      }
      if (toMs < changeMs) changeMs = toMs
      // `startOf` is expensive, and rarely needed.
      const fromMs = (dates[at] as number) > nowMs ? this.#set.startOf(at >> 1) : 0
      if (fromMs <= nowMs) continue
      early.push(at >> 1)
      if (fromMs < changeMs) changeMs = fromMs
    }
    this.#outOfDate = { expired, early }
    this.#computedMs = nowMs
    this.#changeMs = changeMs
    return this.#outOfDate
  }

  /** Milliseconds until a comparison may find something; 0 if it may now. */
  dueInMs(nowMs: number): number {
    return this.#isNew || nowMs < this.#comparedMs ? 0 : Math.max(0, this.#dueMs - nowMs)
  }

  /** Finds passed thresholds, in steps. @returns `null` if the set was replaced meanwhile. */
  *compare(nowMs: number): Generator<void, Comparison | null, void> {
    const set = this.#set
    const { dates } = set
    const { last, longestMs } = this.thresholds
    const before = this.#reports
    const isReplaced = this.#isNew
    const reports = new Map<string, number>()
    const passed = new Map<string, Group>()
    let dueMs = NEVER_MS
    for (let index = 0; index * 2 < dates.length; index++) {
      if (index % ENDS_PER_STEP === ENDS_PER_STEP - 1) yield
      const toMs = dates[index * 2 + 1] as number
      const lifeMs = toMs - (dates[index * 2] as number)
      const leftMs = toMs - nowMs
      const level = this.thresholds.levelAt(leftMs, lifeMs)
      if (level < last) dueMs = Math.min(dueMs, toMs - this.thresholds.leadMs(level + 1, lifeMs))
      const isFar = leftMs > longestMs + MAX_SLACK_MS
      if (isFar || (level < 0 && before.size === 0)) continue
      const kind = set.kindOf(index)
      if (kind === 'spare') continue
      const key = set.keyOf(index)
      const former = levelOf(before.get(key), toMs)
      const reached = this.thresholds.levelAfter(former, leftMs, lifeMs)
      if (reached < 0) continue
      reports.set(key, reportOf(toMs, reached))
      // An anchor that had expired before it was loaded is a warning of that load.
      const isOld = isReplaced && kind === 'ca' && toMs <= this.#loadedMs
      if (level > former && !isOld) addTo(passed, kind, level, index)
    }
    if (this.#set !== set) return null
    const recovered = recoveredOf(before, reports, last)
    const earlyBefore = this.#early
    const { early } = this.outOfDateAt(nowMs)
    const keys = new Map(
      early.filter((index) => set.kindOf(index) !== 'spare').map((index) => [set.keyOf(index), index]),
    )
    this.#early = new Set(keys.keys())
    // A comparison is also due when an item becomes valid.
    if (keys.size > 0) dueMs = Math.min(dueMs, this.#changeMs)
    const isKnown = (index: number) => isReplaced && set.kindOf(index) !== 'ca'
    this.#reports = reports
    this.#dueMs = dueMs
    this.#comparedMs = nowMs
    this.#isNew = false
    const endOf = (index: number) => dates[index * 2 + 1] as number
    for (const { indexes } of passed.values()) indexes.sort((a, b) => endOf(a) - endOf(b))
    return {
      ...{ set, isReplaced, recovered, passed: [...passed.values()] },
      early: [...keys].flatMap(([key, index]) => (earlyBefore.has(key) || isKnown(index) ? [] : key)),
      begun: isReplaced ? [] : [...earlyBefore].filter((key) => !keys.has(key)),
    }
  }
}

/** Ends compared in one step. */
const ENDS_PER_STEP = 500

interface Group extends Passed {
  readonly indexes: number[]
}

function addTo(groups: Map<string, Group>, kind: EndKind, level: number, index: number): void {
  const key = `${kind} ${level}`
  const group = groups.get(key) ?? { kind, level, indexes: [] }
  group.indexes.push(index)
  groups.set(key, group)
}

/** Ends have whole seconds. Levels beyond this number are treated as equal. */
const MAX_LEVELS = 1024

function reportOf(toMs: number, level: number): number {
  return Math.floor(toMs / 1000) * MAX_LEVELS + Math.min(level, MAX_LEVELS - 1)
}

/** The reported level; -1 if the report is about another end, and so about another certificate. */
function levelOf(report: number | undefined, toMs: number): number {
  if (report === undefined) return -1
  return Math.floor(report / MAX_LEVELS) === Math.floor(toMs / 1000) ? report % MAX_LEVELS : -1
}

function recoveredOf(before: Reports, after: Reports, last: number): string[] {
  const recovered: string[] = []
  for (const [key, report] of before) {
    if (report % MAX_LEVELS !== last) continue
    const now = after.get(key)
    if (now !== report) recovered.push(key)
  }
  return recovered
}
