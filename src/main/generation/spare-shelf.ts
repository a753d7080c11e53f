import type tls from 'node:tls'

import type { Clock } from '../clock.js'
import { buildTrust, type ContextBuild, type ContextPlan } from './build-context.js'
import { canBuildInSteps, closeContext } from './native-context.js'

/** Between two steps of a spare the event loop is left alone for so long, in milliseconds. */
const PACE_MS = 2

/** A context that waits for its certificate, or is on its way there. */
interface Spare {
  readonly plan: ContextPlan
  readonly build: ContextBuild
  ready: tls.SecureContext | null
}

/**
 * Warm spares: contexts with the trust of now and no certificate, prepared a step at a time after each commit, so that
 * a leaf-only renewal pays for its certificate and key alone, however many trust anchors there are.
 */
export class SpareShelf {
  readonly #clock: Clock
  #spares: Spare[] = []
  #cancel: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Prepares one spare for each plan, in the background; others are dropped. */
  stock(plans: readonly ContextPlan[]): void {
    const kept = this.#spares.filter((spare) => plans.some((plan) => fits(spare.plan, plan)))
    for (const spare of this.#spares) if (!kept.includes(spare)) discard(spare)
    const missing = plans.filter((plan) => !kept.some((spare) => fits(spare.plan, plan)))
    const added = canBuildInSteps()
      ? missing.map((plan) => ({ plan, build: buildTrust(plan), ready: null }))
      : []
    this.#spares = [...kept, ...added]
    this.#pace()
  }

  /** The rest of the build of a spare that fits, which may be all or none of it; `null` without one. */
  take(plan: ContextPlan): ContextBuild | null {
    const spare = this.#spares.find((one) => fits(one.plan, plan))
    if (!spare) return null
    this.#spares = this.#spares.filter((one) => one !== spare)
    this.#pace()
    return restOf(spare)
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
      // Whoever needs the context builds it anew and says why it cannot be built.
      this.#spares = this.#spares.filter((one) => one !== spare)
    }
    this.#pace()
  }
}

function* restOf({ build, ready }: Spare): ContextBuild {
  return ready ?? (yield* build)
}

function discard({ ready }: Spare): void {
  if (ready) closeContext(ready)
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

function sameBytes(a: Uint8Array | null | undefined, b: Uint8Array | null | undefined): boolean {
  return a && b ? Buffer.compare(a, b) === 0 : !a && !b
}
