import { ReloadError } from '../base/errors.js'
import { type Snapshot, wipeKeys } from './generation.js'
import { inSteps } from './host-table.js'
import { runInSlices } from './slices.js'

/** Earlier generations that `rollback()` can restore. Their number is limited, because their keys stay in memory. */
export class History {
  readonly #limit: number
  readonly #served: () => Snapshot
  #kept: Snapshot[] = []

  constructor(limit: number, served: () => Snapshot) {
    this.#limit = limit
    this.#served = served
  }

  /** The newest first. */
  get snapshots(): readonly Snapshot[] {
    return this.#kept
  }

  /** Adds a generation that has just been replaced, and removes the oldest beyond the limit. */
  keep(snapshot: Snapshot): void {
    this.#kept.unshift(snapshot)
    for (const removed of this.#kept.splice(this.#limit)) this.#wipe(removed)
  }

  find(number: number): Snapshot | undefined {
    return this.#kept.find(({ generation }) => generation.number === number)
  }

  /** The error for a generation that is not kept. */
  unknown(wanted: number | undefined): ReloadError {
    const kept = this.#kept.map(({ generation }) => generation.number).join(', ') || 'none'
    const what = wanted === undefined ? 'no earlier generation is kept' : `generation ${wanted} is not kept`
    return new ReloadError(
      'GENERATION_UNKNOWN',
      `rollback: ${what}; generations that can be restored: ${kept}`,
    )
  }

  clear(): void {
    for (const removed of this.#kept.splice(0)) this.#wipe(removed)
  }

  /** Wipes keys that no other generation uses; a restored generation, for example, shares its keys with the original. */
  #wipe({ material, hosts }: Snapshot): void {
    const others = [this.#served(), ...this.#kept]
    if (!others.some((other) => other.material.pairs === material.pairs)) wipeKeys(material.pairs)
    if (others.some((other) => other.hosts === hosts)) return
    const wipe = inSteps(hosts.byId.values(), (host) => {
      if (!others.some((other) => other.hosts.byId.get(host.id) === host)) wipeKeys([host.pair])
    })
    void runInSlices(wipe, { longestMs: 0 })
  }
}
