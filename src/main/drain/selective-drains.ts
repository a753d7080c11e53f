import { type Deferred, deferred } from '../base/deferred.js'
import type { Logger } from '../base/logger.js'
import type { ActiveDrain, ActiveDrainMaker, DrainResult } from './active-drain.js'
import { DrainError } from './errors.js'
import type { DrainRun } from './handle.js'
import type { ResolvedStart } from './options.js'
import { runOf } from './run-of.js'

/** Drains of selected connections: any number at a time; the state of the drain does not change. */
export class SelectiveDrains {
  readonly #makeActiveDrain: ActiveDrainMaker
  readonly #logger: Logger
  readonly #completions = new Map<ActiveDrain, Deferred<DrainResult>>()

  constructor(makeActiveDrain: ActiveDrainMaker, logger: Logger) {
    this.#makeActiveDrain = makeActiveDrain
    this.#logger = logger
  }

  start(options: ResolvedStart): DrainRun {
    const completion = deferred<DrainResult>()
    const active = this.#makeActiveDrain(options, {
      expired: () => active.force(),
      ended: (result) => {
        this.#completions.delete(active)
        this.#logger.info({ ...result }, 'selective drain ended')
        completion.resolve(result)
      },
    })
    this.#completions.set(active, completion)
    if (options.deadlineMs === 0) active.force()
    else active.leave()
    return runOf(active, completion.promise, () => active.force())
  }

  /** Stops every drain; the connections stay open. */
  close(): void {
    for (const [active, completion] of this.#completions) {
      active.cancel()
      completion.reject(new DrainError('CLOSED', 'the drain was closed before its end'))
    }
  }
}
