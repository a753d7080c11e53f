import type { PreparedPair } from '../../workers/protocol/material.js'
import type { Renewal, TrustChange } from '../api/renewal.js'
import type { Snapshot } from './generation.js'
import { type Verifiers, verifiersShrank } from './trust-change.js'

/** Compares each generation with the one that was in service at the last look, so that no change is left out. */
export class Renewals {
  #before: Shown | null = null

  /**
   * What changed since the last call; `null` at the first call, and if the same generation is in service. Generations that were
   * in service only between two calls are not reported, but their changes that are still in force are.
   */
  next({ generation, material, options }: Snapshot): Renewal | null {
    const before = this.#before
    if (before?.number === generation.number) return null
    const { trust } = material
    const after: Shown = {
      number: generation.number,
      chains: material.pairs.map(({ chain }) => chain),
      verifiers: { trust, options: options.context },
    }
    this.#before = after
    if (!before) return null
    return Object.freeze({
      generation: after.number,
      leaf: chainsDiffer(before.chains, after.chains),
      trust: trustChange(before.verifiers, after.verifiers),
    })
  }
}

/** What peers see of a generation. Without its keys, which are overwritten with it. */
interface Shown {
  readonly number: number
  readonly chains: readonly Chain[]
  readonly verifiers: Verifiers
}

type Chain = PreparedPair['chain']

/** A new key has a new certificate, because the two match. */
function chainsDiffer(before: readonly Chain[], after: readonly Chain[]): boolean {
  return (
    before.length !== after.length ||
    before.some((chain, i) => Buffer.compare(chain, after[i] as Chain) !== 0)
  )
}

function trustChange(before: Verifiers, after: Verifiers): TrustChange {
  if (verifiersShrank(before, after)) return 'reduced'
  return verifiersShrank(after, before) ? 'widened' : 'unchanged'
}
