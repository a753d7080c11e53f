import { type Deferred, deferred } from '../base/deferred.js'
import type { Logger } from '../base/logger.js'
import { DrainError } from './errors.js'
import type { DrainResult, Farewell, FarewellMaker } from './farewell.js'
import type { DrainRun } from './handle.js'
import type { ResolvedStart } from './options.js'
import { runOf } from './run-of.js'

/** Drains of selected connections: any number at a time; the state of the drain does not change. */
export class SelectiveDrains {
  readonly #makeFarewell: FarewellMaker
  readonly #logger: Logger
  readonly #completions = new Map<Farewell, Deferred<DrainResult>>()

  constructor(makeFarewell: FarewellMaker, logger: Logger) {
    this.#makeFarewell = makeFarewell
    this.#logger = logger
  }

  start(options: ResolvedStart): DrainRun {
    const completion = deferred<DrainResult>()
    const farewell = this.#makeFarewell(options, {
      expired: () => farewell.force(),
      ended: (result) => {
        this.#completions.delete(farewell)
        this.#logger.info({ ...result }, 'selective drain ended')
        completion.resolve(result)
      },
    })
    this.#completions.set(farewell, completion)
    if (options.deadlineMs === 0) farewell.force()
    else farewell.leave()
    return runOf(farewell, completion.promise, () => farewell.force())
  }

  /** Stops every drain; the connections stay open. */
  close(): void {
    for (const [farewell, completion] of this.#completions) {
      farewell.cancel()
      completion.reject(new DrainError('CLOSED', 'the drain was closed before its end'))
    }
  }
}
