import { createHash } from 'node:crypto'

import { type Problem, ProblemError } from '../../workers/base/problem.js'
import { type Delivery, type MaterialSource, SourceError } from '../api/source.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { HeldDelivery } from '../reload/material-feed.js'
import { createLastGoodKeeper, type LastGoodKeeper } from './last-good-keeper.js'

/** The option `lastGood`, with absolute paths. */
export interface LastGoodSettings {
  readonly dir: string
  readonly keyFile: string | null
  readonly afterSeconds: number
}

export interface LastGoodParts {
  readonly source: MaterialSource
  readonly clock: Clock
  readonly logger: Logger
  /** Limit of reading what was kept, because storage may hang. */
  readonly timeoutMs: number
}

/** What an engine keeps of its source on disk. */
export class LastGood {
  /** For how long a start asks the source alone. */
  readonly afterMs: number
  readonly #parts: LastGoodParts
  readonly #keeper: LastGoodKeeper
  readonly #dir: string
  /** Version of the delivery that was kept last. */
  #version: string | null = null
  /** Whether a delivery of this run, or the kept one that it serves, had hosts. Without mention, they stay. */
  #hasHosts = false

  /** @param onUnwritten a write failed, once for each outage. */
  constructor(
    { dir, keyFile, afterSeconds }: LastGoodSettings,
    parts: LastGoodParts,
    onUnwritten: (problem: Problem) => void,
  ) {
    const { source, clock, logger } = parts
    const { name } = source
    this.#parts = parts
    this.#dir = dir
    this.afterMs = afterSeconds * 1000
    this.#keeper = createLastGoodKeeper({
      ...{ dir, keyFile, source: name, identity: digestOf(source.identity), clock },
      onFailed(problem) {
        onUnwritten(problem)
        logger.warn({ source: name, problem }, 'the material in service cannot be kept')
      },
      onWritten(version, recovered) {
        if (recovered) logger.info({ source: name, version }, 'the material in service is kept again')
      },
    })
  }

  /** Writes a delivery in the background, unless it is the one that was kept last. Resolves when it is copied. */
  async keep(held: HeldDelivery): Promise<void> {
    if (held.version === this.#version) return
    this.#version = held.version
    const keepsHosts = held.hosts === null && this.#hasHosts
    this.#hasHosts ||= held.hosts !== null
    await this.#keeper.keep(held, keepsHosts)
  }

  /**
   * What was kept in an earlier run; `null` if there is nothing.
   *
   * @param accept checks it as a delivery, and copies it.
   * @throws ProblemError
   */
  async read(accept: (delivery: Delivery) => Promise<HeldDelivery>): Promise<HeldDelivery | null> {
    const kept = await this.#withinTime(this.#keeper.read(), (late) => late?.wipe())
    if (!kept) return null
    try {
      const held = await accept(kept.delivery)
      this.#hasHosts = held.hosts !== null
      return held
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      const message = `what was kept in ${this.#dir} does not fit the options: ${error.message}`
      throw new ProblemError('LAST_GOOD_FOREIGN', message, this.#dir)
    } finally {
      kept.wipe()
    }
  }

  async close(): Promise<void> {
    await this.#keeper.close()
  }

  /** @param late receives an answer after the time limit. */
  async #withinTime<T>(reading: Promise<T>, late: (value: T) => void): Promise<T> {
    const { clock, timeoutMs } = this.#parts
    let cancel = () => {}
    const tooLong = new Promise<never>((_, reject) => {
      cancel = clock.after(timeoutMs, () => {
        const message = `${this.#dir} did not answer within ${timeoutMs / 1000} s`
        reading.then(late, () => {})
        reject(new ProblemError('LAST_GOOD_UNREADABLE', message, this.#dir))
      })
    })
    try {
      return await Promise.race([reading, tooLong])
    } finally {
      cancel()
    }
  }
}

/** An address may contain a credential, so it is neither stored nor shown. */
function digestOf(identity: string | undefined): string {
  return identity === undefined ? '' : createHash('sha256').update(identity).digest('hex')
}
