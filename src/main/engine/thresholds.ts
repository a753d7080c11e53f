const DAY_MS = 86_400_000

/**
 * The first warning comes when at most this part of the lifetime is left. Renewal is due when a third is left (certbot,
 * cert-manager, step-ca) or half of it (short-lived certificates), so a renewal that works causes no warning.
 */
const FIRST_PART = 1 / 4

/** Time by which the clock must go back before a threshold counts as not passed: small corrections repeat no warning. */
const HYSTERESIS_MS = 3_600_000

/**
 * How long before an end it is reported: a number of days each, but never earlier than a part of the lifetime, a quarter for
 * the first and half as much for each further one. With 30, 7 and 1 days, a certificate of 90 days is reported 22.5, 7 and 1
 * days before its end, one of 6 days 36, 18 and 9 hours before, one of 24 hours 6, 3 and 1.5 hours before.
 *
 * A level is the place of a threshold, 0 for the first; the last one is the end itself. -1 is before the first.
 */
export class Thresholds {
  readonly #daysMs: readonly number[]

  /** @param days in any order; 0 and repetitions do not count. */
  constructor(days: readonly number[]) {
    const sorted = [...new Set(days)].sort((a, b) => b - a)
    this.#daysMs = sorted.filter((one) => one > 0).map((one) => one * DAY_MS)
  }

  /** The level of the end itself. */
  get last(): number {
    return this.#daysMs.length
  }

  /** No threshold is further from an end than this. */
  get longestMs(): number {
    return this.#daysMs[0] ?? 0
  }

  /** Milliseconds from a threshold to the end. */
  leadMs(level: number, lifeMs: number): number {
    const days = this.#daysMs[level]
    return days === undefined ? 0 : Math.min(days, (Math.max(0, lifeMs) * FIRST_PART) / 2 ** level)
  }

  /** The last threshold that has been passed when so much is left. */
  levelAt(leftMs: number, lifeMs: number): number {
    let level = -1
    while (level < this.last && leftMs <= this.leadMs(level + 1, lifeMs)) level++
    return level
  }

  /** The level to remember when the clock has gone back: the one before, unless it has gone back far enough. */
  levelAfter(before: number, leftMs: number, lifeMs: number): number {
    const level = this.levelAt(leftMs, lifeMs)
    const slackMs = Math.min(HYSTERESIS_MS, Math.max(0, lifeMs) / 100)
    return before > level && leftMs < this.leadMs(before, lifeMs) + slackMs ? before : level
  }
}

/** A threshold can count again only above this much more than {@link Thresholds.longestMs}. */
export const LONGEST_SLACK_MS: number = HYSTERESIS_MS
