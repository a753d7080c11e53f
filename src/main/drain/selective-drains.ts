import { type Deferred, deferred } from '../base/deferred.js'
import type { Logger } from '../base/logger.js'
import { DrainError } from './errors.js'
import type { DrainResult, Farewell, FarewellMaker } from './farewell.js'
import type { DrainRun } from './handle.js'
import type { ResolvedStart } from './options.js'
import { runOf } from './run-of.js'

/** The drains of some connections only: any number at a time, and the state of the whole drain stays as it is. */
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
        this.#logger.info({ ...result }, 'some connections drained')
        completion.resolve(result)
      },
    })
    this.#completions.set(farewell, completion)
    if (options.deadlineMs === 0) farewell.force()
    else farewell.leave()
    return runOf(farewell, completion.promise, () => farewell.force())
  }

  /** Leaves the connections as they are. */
  close(): void {
    for (const [farewell, completion] of this.#completions) {
      farewell.cancel()
      completion.reject(new DrainError('CLOSED', 'the drain was closed before its end'))
    }
  }
}
