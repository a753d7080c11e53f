import type { Clock } from '../base/clock.js'

/** Refreshes at the same time: few, so that a sweep of thousands of hosts leaves the source to others. */
const AT_ONCE = 8
/** During an outage, the next sweep is at most this far away. */
const RETRY_MS = 5000
/** Announcements of the source cause at most one sweep in this time. */
const SOON_MS = 1000

/** The hosts in service, as far as their refresh concerns them. */
export interface RefreshedHosts {
  /** Names that were used since then, by the monotonic clock. */
  inUse(sinceMs: number): readonly string[]
  /** Asks for one name. @returns `false` if the source cannot be asked now. Never rejects. */
  refresh(name: string): Promise<boolean>
}

/** Refreshes hosts: those in use at each sweep, and at once those that the source has announced. */
export class HostRefresh {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #hosts: RefreshedHosts
  /** Names to refresh, each once. */
  readonly #due = new Set<string>()
  #running = 0
  #sweptMs: number
  #isOut = false
  #cancel: () => void = () => {}
  #isClosed = false

  constructor(clock: Clock, intervalMs: number, hosts: RefreshedHosts) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#hosts = hosts
    this.#sweptMs = clock.monotonicMs()
    this.#sweepIn(intervalMs)
  }

  /** Refreshes these hosts, used or not. */
  now(names: Iterable<string>): void {
    for (const name of names) this.#due.add(name)
    this.#run()
  }

  /** Brings the next sweep forward. */
  sweepSoon(): void {
    const dueMs = this.#sweptMs + SOON_MS - this.#clock.monotonicMs()
    this.#sweepIn(Math.max(0, dueMs))
  }

  close(): void {
    this.#isClosed = true
    this.#cancel()
    this.#due.clear()
  }

  #sweepIn(delayMs: number): void {
    this.#cancel()
    if (!this.#isClosed) this.#cancel = this.#clock.after(delayMs, () => this.#sweep())
  }

  #sweep(): void {
    const sinceMs = this.#sweptMs
    this.#sweptMs = this.#clock.monotonicMs()
    this.#isOut = false
    this.now(this.#hosts.inUse(sinceMs))
    this.#sweepIn(this.#intervalMs)
  }

  #run(): void {
    while (this.#running < AT_ONCE && this.#due.size > 0 && !this.#isOut) {
      const [name] = this.#due as Set<string> & [string]
      this.#due.delete(name)
      this.#running++
      void this.#refresh(name)
    }
  }

  async #refresh(name: string): Promise<void> {
    const asked = await this.#hosts.refresh(name)
    this.#running--
    if (!asked) this.#wait(name)
    this.#run()
  }

  /** The names stay due until the source can be asked. */
  #wait(name: string): void {
    if (this.#isClosed) return
    this.#due.add(name)
    this.#isOut = true
    this.#sweepIn(Math.min(RETRY_MS, this.#intervalMs))
  }
}
