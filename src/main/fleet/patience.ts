import type { Snapshot } from '../generation/generation.js'
import { trustShrank } from '../generation/trust-change.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import type { Question } from './answers.js'

/** A reason to evict late members at the first roll-out that they hold back. */
export type Urgency = 'trust' | 'life' | 'forced'

/** The request that a member has not answered, and why the others no longer wait for it. */
export interface EvictionCause {
  readonly question: Question
  readonly urgency: Urgency | null
  /** Consecutive roll-outs that were held back. */
  readonly heldBack: number
}

/** A certificate with less than this share of its lifetime left is about to expire. */
const LAST_PART = 0.1

/** Counts the consecutive roll-outs that late members held back, and decides when to evict them. */
export class Patience {
  readonly #limit: number
  #heldBack = 0

  /** @param limit - consecutive roll-outs that may be held back, including the last one, which evicts. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Consecutive roll-outs that were held back. */
  get heldBack(): number {
    return this.#heldBack
  }

  /** Call for each roll-out with late members. @returns whether to evict them; otherwise the roll-out is held back. */
  mustEvict(urgency: Urgency | null): boolean {
    this.#heldBack++
    return urgency !== null || this.#heldBack >= this.#limit
  }

  /** Call when a roll-out has reached every remaining member. */
  reset(): void {
    this.#heldBack = 0
  }
}

export interface RolloutFacts {
  readonly before: Snapshot
  readonly next: Snapshot
  readonly force: boolean
  /** The policies of servers that do not follow the engine's options. */
  readonly policies: readonly PeerPolicy[]
  readonly nowMs: number
  /** Total time that members may hold back roll-outs, in milliseconds. */
  readonly patienceMs: number
}

/**
 * Whether a roll-out must not be held back. Until withdrawn trust takes effect, clients without trust are admitted. If a
 * served certificate is about to expire, renewing the other members matters more than keeping all members equal.
 */
export function urgencyOf(facts: RolloutFacts): Urgency | null {
  if (withdrawsTrust(facts)) return 'trust'
  if (facts.force) return 'forced'
  return endsSoon(facts) ? 'life' : null
}

/** Whether any server may admit a peer under `before` that it must refuse under `next`. */
function withdrawsTrust({ before, next, policies }: RolloutFacts): boolean {
  const own = [before, next].map(({ options }) => options.peers)
  return [own, ...policies.map((peers) => [peers, peers])].some(([from, to]) => {
    const [was, is] = [termsOf(before, from as PeerPolicy), termsOf(next, to as PeerPolicy)]
    return trustShrank({ ...was, identity: 'before' }, { ...is, identity: 'after' })
  })
}

function termsOf({ material, options }: Snapshot, peers: PeerPolicy) {
  return { peers, trust: material.trust, options: options.context }
}

/**
 * Whether a served certificate has less than a tenth of its lifetime left, or less time than `patienceMs`. A tenth fits any
 * lifetime: certificates are renewed with a third to a half of it left, so by then the renewal is long overdue.
 */
function endsSoon({ before, nowMs, patienceMs }: RolloutFacts): boolean {
  const { certificates, hosts } = before.generation
  const all = [...certificates, ...(hosts?.soonest ? [hosts.soonest] : [])]
  return all.some((certificate) => {
    const [from, to] = [Date.parse(certificate.notBefore), Date.parse(certificate.notAfter)]
    return to - nowMs < Math.max((to - from) * LAST_PART, patienceMs)
  })
}
