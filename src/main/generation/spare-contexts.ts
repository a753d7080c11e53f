import type tls from 'node:tls'

import type { Clock } from '../base/clock.js'
import { addIdentity, buildTrust, type ContextBuild, type ContextPlan } from './build-context.js'
import { canBuildInSteps } from './native-context.js'
import { freeInTurns } from './retired-contexts.js'
import { canRenewLeaves, renewLeaves, type UsedContext } from './used-context.js'

/** Pause between two steps of a spare, in milliseconds. */
const PACE_MS = 2

/** Size in PEM of a revocation list that takes about 2 ms to load, in one call. */
const LARGE_LIST_BYTES = 64 * 1024

/** A context without a certificate, complete or in preparation. */
interface Spare {
  readonly plan: ContextPlan
  readonly build: ContextBuild
  ready: tls.SecureContext | null
}

/**
 * Contexts to build the next ones from, so that a leaf-only renewal loads only its certificate and key, for any number of
 * trust anchors. Used contexts receive the leaves of the next generation if nothing else is new. In addition there are
 * spares: contexts with the current trust and no certificate, prepared step by step after each commit.
 */
export class SpareContexts {
  readonly #clock: Clock
  #spares: Spare[] = []
  #used: UsedContext[] = []
  #cancel: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Prepares one spare for each plan in the background, and keeps one used context for each; others are freed. With a large
   * revocation list, a plan with a used context gets no spare.
   */
  prepare(plans: readonly ContextPlan[], used: readonly UsedContext[] = []): void {
    // Both need the native handle.
    const wanted = canBuildInSteps() ? plans : []
    const all = [...used, ...this.#used]
    const kept = firstFor(wanted, all)
    const spares = firstFor(wanted, this.#spares)
    freeInTurns([
      ...all.flatMap((one) => (kept.includes(one) ? [] : [one.context])),
      ...this.#spares.flatMap((spare) => (spares.includes(spare) || !spare.ready ? [] : [spare.ready])),
    ])
    const missing = wanted.filter((plan) => {
      if (spares.some((spare) => fits(spare.plan, plan))) return false
      // A used context already saves the usual renewal from loading the lists; a spare would cost another long turn.
      return !(hasLargeList(plan) && kept.some((one) => fits(one.plan, plan)))
    })
    this.#used = kept
    this.#spares = [...spares, ...missing.map((plan) => ({ plan, build: buildTrust(plan), ready: null }))]
    this.#pace()
  }

  /**
   * The remaining build of a context from a used context or a spare; `null` if none fits.
   *
   * @param keyTypes the key type of each pair; `null` takes no used context. Only a context that was built with all its
   *   certificates knows the issuer of its leaf, which an answer to a client's OCSP request needs.
   */
  take(plan: ContextPlan, keyTypes: readonly string[] | null = null): ContextBuild | null {
    const used = this.#used.find(
      (one) => fits(one.plan, plan) && keyTypes && canRenewLeaves(one, plan, keyTypes),
    )
    if (used) {
      this.#used = this.#used.filter((one) => one !== used)
      return renewLeaves(used.context, plan.material.pairs, plan.options)
    }
    const spare = this.#spares.find((one) => fits(one.plan, plan))
    if (!spare) return null
    this.#spares = this.#spares.filter((one) => one !== spare)
    this.#pace()
    return finish(spare, plan)
  }

  clear(): void {
    this.prepare([])
  }

  #pace(): void {
    this.#cancel?.()
    const next = this.#spares.find(({ ready }) => ready === null)
    this.#cancel = next ? this.#clock.after(PACE_MS, () => this.#advance(next)) : null
  }

  #advance(spare: Spare): void {
    try {
      const step = spare.build.next()
      if (step.done) spare.ready = step.value
    } catch {
      // The build that needs the context fails as well, and reports the reason.
      this.#spares = this.#spares.filter((one) => one !== spare)
    }
    this.#pace()
  }
}

function* finish({ build, ready }: Spare, { material, options }: ContextPlan): ContextBuild {
  return yield* addIdentity(ready ?? (yield* build), material.pairs, options)
}

function firstFor<T extends { readonly plan: ContextPlan }>(
  plans: readonly ContextPlan[],
  all: readonly T[],
): T[] {
  return plans.flatMap((plan) => all.find((one) => fits(one.plan, plan)) ?? [])
}

/** The same trust, session plan and options: everything but the certificate. */
function fits(spare: ContextPlan, plan: ContextPlan): boolean {
  return (
    spare.options === plan.options &&
    spare.session?.sessionIdContext === plan.session?.sessionIdContext &&
    sameBytes(spare.session?.ticketKeys, plan.session?.ticketKeys) &&
    sameBytes(spare.material.dhparam, plan.material.dhparam) &&
    spare.material.trust === plan.material.trust
  )
}

function hasLargeList({ material }: ContextPlan): boolean {
  return material.trust.revocationLists.some((list) => list.length > LARGE_LIST_BYTES)
}

function sameBytes(a: Uint8Array | null | undefined, b: Uint8Array | null | undefined): boolean {
  return a && b ? Buffer.compare(a, b) === 0 : !a && !b
}
