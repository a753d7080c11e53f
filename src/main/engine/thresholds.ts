const DAY_MS = 86_400_000

/**
 * The first warning is emitted when at most this share of the lifetime is left. Certificates are renewed when a third
 * (certbot, cert-manager, step-ca) or half (short-lived certificates) is left, so a working renewal causes no warning.
 */
const FIRST_PART = 1 / 4

/** How far the clock must be set back before a threshold counts as not passed, so that small corrections repeat no warning. */
const HYSTERESIS_MS = 3_600_000

/**
 * The thresholds before an end: a number of days each, limited to a share of the lifetime, a quarter for the first threshold
 * and half as much for each further one. With 30, 7 and 1 days, a certificate of 90 days is reported 22.5, 7 and 1 days before
 * its end, one of 6 days 36, 18 and 9 hours before, one of 24 hours 6, 3 and 1.5 hours before.
 *
 * A level is the index of a threshold; the last level is the end itself. -1 is before the first threshold.
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

  /** The longest time from a threshold to an end, in milliseconds. */
  get longestMs(): number {
    return this.#daysMs[0] ?? 0
  }

  /** Milliseconds from a threshold to the end. */
  leadMs(level: number, lifeMs: number): number {
    const days = this.#daysMs[level]
    return days === undefined ? 0 : Math.min(days, (Math.max(0, lifeMs) * FIRST_PART) / 2 ** level)
  }

  /** The last threshold that has been passed, for a remaining time. */
  levelAt(leftMs: number, lifeMs: number): number {
    let level = -1
    while (level < this.last && leftMs <= this.leadMs(level + 1, lifeMs)) level++
    return level
  }

  /** The level to record after `before`, which stays if the clock was only set back a little. */
  levelAfter(before: number, leftMs: number, lifeMs: number): number {
    const level = this.levelAt(leftMs, lifeMs)
    const slackMs = Math.min(HYSTERESIS_MS, Math.max(0, lifeMs) / 100)
    return before > level && leftMs < this.leadMs(before, lifeMs) + slackMs ? before : level
  }
}

/** Beyond {@link Thresholds.longestMs} plus this time, no threshold counts as passed any more. */
export const MAX_SLACK_MS: number = HYSTERESIS_MS
