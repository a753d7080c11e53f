import type { Snapshot } from '../generation/generation.js'
import { trustShrank } from '../generation/trust-change.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import type { Question } from './answers.js'

/** Why the first roll-out that members hold back evicts them. */
export type Urgency = 'trust' | 'life' | 'forced'

/** What a member has not done, and why the others no longer wait for it. */
export interface EvictionCause {
  readonly question: Question
  readonly urgency: Urgency | null
  /** Roll-outs in a row that were held back. */
  readonly heldBack: number
}

/** The share of its lifetime that a certificate has left when it counts as short-lived. */
const LAST_PART = 0.1

/** Counts the roll-outs that members held back by not answering in time, and decides when that is too often. */
export class Patience {
  readonly #limit: number
  #heldBack = 0

  /** @param limit - roll-outs in a row that may be held back, the one that ends the patience included */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Roll-outs in a row that were held back. */
  get heldBack(): number {
    return this.#heldBack
  }

  /** To be called when members are late: whether they are to be evicted; otherwise the roll-out counts as held back. */
  endsWith(urgency: Urgency | null): boolean {
    this.#heldBack++
    return urgency !== null || this.#heldBack >= this.#limit
  }

  /** A roll-out has reached every member that is left. */
  reset(): void {
    this.#heldBack = 0
  }
}

/** What decides whether a roll-out is urgent. */
export interface RolloutFacts {
  readonly before: Snapshot
  readonly next: Snapshot
  readonly force: boolean
  /** The policies of servers that do not follow the engine's options. */
  readonly policies: readonly PeerPolicy[]
  readonly nowMs: number
  /** How long members may hold back roll-outs in all, in milliseconds. */
  readonly patienceMs: number
}

/**
 * Withdrawn trust comes first: every moment that it takes lets clients in that are refused from then on. Then the end of what
 * is served: members that keep a certificate which is about to expire are worth less than the others moving on.
 */
export function urgencyOf(facts: RolloutFacts): Urgency | null {
  if (withdrawsTrust(facts)) return 'trust'
  if (facts.force) return 'forced'
  return endsSoon(facts) ? 'life' : null
}

/** Whether any server may admit a peer before that it must refuse after. */
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
 * Whether a certificate that is served has less than a tenth of its lifetime left, or less time than patience may take. A
 * tenth fits lifetimes of any length: certificates are renewed with a third to a half of it left, so that most of that has
 * passed without a renewal by then.
 */
function endsSoon({ before, nowMs, patienceMs }: RolloutFacts): boolean {
  const { certificates, hosts } = before.generation
  const all = [...certificates, ...(hosts?.soonest ? [hosts.soonest] : [])]
  return all.some((certificate) => {
    const [from, to] = [Date.parse(certificate.notBefore), Date.parse(certificate.notAfter)]
    return to - nowMs < Math.max((to - from) * LAST_PART, patienceMs)
  })
}
