import { ReloadError } from '../base/errors.js'
import { type Snapshot, wipeKeys } from './generation.js'
import { inSteps } from './host-table.js'
import { runInSlices } from './slices.js'

/** Earlier generations that can be gone back to: a bounded number, because their keys stay in memory for it. */
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

  /** Keeps a generation that has just been replaced, and forgets the oldest beyond the limit. */
  keep(snapshot: Snapshot): void {
    this.#kept.unshift(snapshot)
    for (const forgotten of this.#kept.splice(this.#limit)) this.#wipe(forgotten)
  }

  find(number: number): Snapshot | undefined {
    return this.#kept.find(({ generation }) => generation.number === number)
  }

  /** What is thrown where a generation was asked for that is not kept. */
  unknown(wanted: number | undefined): ReloadError {
    const kept = this.#kept.map(({ generation }) => generation.number).join(', ') || 'none'
    const what = wanted === undefined ? 'there is no earlier generation' : `generation ${wanted} is not kept`
    return new ReloadError('GENERATION_UNKNOWN', `${what} to go back to (kept: ${kept})`)
  }

  clear(): void {
    for (const forgotten of this.#kept.splice(0)) this.#wipe(forgotten)
  }

  /** Several generations can have the same keys: a restored one, or one in which only hosts or trust changed. */
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
