import type tls from 'node:tls'

import type { Clock } from '../base/clock.js'
import { addIdentity, buildTrust, type ContextBuild, type ContextPlan } from './build-context.js'
import { canBuildInSteps } from './native-context.js'
import { freeInTurns } from './retired-contexts.js'
import { canRenewLeaves, renewLeaves, type UsedContext } from './used-context.js'

/** Between two steps of a spare the event loop is left alone for so long, in milliseconds. */
const PACE_MS = 2

/** A revocation list of this many bytes of PEM takes about 2 ms to load, in one call. */
const LARGE_LIST_BYTES = 64 * 1024

/** A context that waits for its certificate, or is on its way there. */
interface Spare {
  readonly plan: ContextPlan
  readonly build: ContextBuild
  ready: tls.SecureContext | null
}

/**
 * What the next context can be made of, so that a leaf-only renewal pays for its certificate and key alone, however many
 * trust anchors there are. Contexts that have served take the leaves of the next generation when nothing else is new.
 * Behind them stand warm spares: contexts with the trust of now and no certificate, prepared a step at a time after each
 * commit.
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
   * Prepares one spare for each plan, in the background, and keeps a used context for each; others are freed. With a large
   * revocation list there is no spare beside a used context.
   */
  stock(plans: readonly ContextPlan[], used: readonly UsedContext[] = []): void {
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
      // A context that has served spares the usual renewal the lists; a spare as well would cost another long turn.
      return !(hasLargeList(plan) && kept.some((one) => fits(one.plan, plan)))
    })
    this.#used = kept
    this.#spares = [...spares, ...missing.map((plan) => ({ plan, build: buildTrust(plan), ready: null }))]
    this.#pace()
  }

  /**
   * The rest of the build of a context from what is there, which may be little or all of it; `null` without anything that
   * fits. Only a context with all its certificates in it knows the issuer of its leaf, which an answer to a client's OCSP
   * request needs: then `keyTypes` is `null`, and none that has served is taken.
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
    this.stock([])
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
      // The build that needs the context fails too, and reports why.
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
