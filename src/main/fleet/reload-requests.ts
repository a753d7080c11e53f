import type { ReloadOptions } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import { type Deferred, deferred } from '../base/deferred.js'
import { ReloadError } from '../base/errors.js'
import type { Link } from './link.js'
import type { ToMember, ToPrimary } from './messages.js'

/** The reloads that a member has requested from the primary. */
export class ReloadRequests {
  readonly #link: Link<ToPrimary>
  readonly #pending = new Map<number, Deferred<ReloadResult>>()
  #lastId = 0

  constructor(link: Link<ToPrimary>) {
    this.#link = link
  }

  /** @throws ReloadError `CLOSED` or `ABORTED` */
  request({ force = false, dryRun = false }: Pick<ReloadOptions, 'force' | 'dryRun'>): Promise<ReloadResult> {
    const id = ++this.#lastId
    const result = deferred<ReloadResult>()
    this.#pending.set(id, result)
    this.#link.send({ kind: 'reload', id, options: { force, dryRun } })
    return result.promise
  }

  receive({ id, result, code }: Extract<ToMember, { kind: 'answer' }>): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (result) pending?.resolve(result)
    else
      pending?.reject(
        new ReloadError(code === 'CLOSED' ? 'CLOSED' : 'ABORTED', 'the primary could not reload'),
      )
  }

  /** Ends the requests: there is no primary any more. */
  close(): void {
    for (const { reject } of this.#pending.values()) reject(primaryGone())
    this.#pending.clear()
  }
}

export function primaryGone(): ReloadError {
  return new ReloadError('CLOSED', 'the primary has ended, or this engine is closed')
}
