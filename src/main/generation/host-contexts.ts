import type tls from 'node:tls'

import type { Clock } from '../base/clock.js'
import { buildContext, type ContextPlan } from './build-context.js'
import type { Host } from './host.js'
import { RetiredContexts } from './retired-contexts.js'
import { runInSlices } from './slices.js'

interface Cached {
  readonly host: Host
  readonly plan: ContextPlan
  readonly context: Promise<tls.SecureContext>
}

/** Contexts of hosts, built in slices when a client first asks for them, and bounded: the least recently used goes. */
export class HostContexts {
  readonly #limit: number
  readonly #retired: RetiredContexts
  /** In the order of use. */
  readonly #cached = new Map<string, Cached>()
  /** One build at a time: a hundred at once would each take a slice of the same turn. */
  #building: Promise<unknown> = Promise.resolve()

  constructor(limit: number, clock: Clock) {
    this.#limit = limit
    this.#retired = new RetiredContexts(limit, clock)
  }

  get size(): number {
    return this.#cached.size
  }

  /** The context of a host by this plan; clients that ask at the same time share one build. */
  contextOf(host: Host, plan: ContextPlan): Promise<tls.SecureContext> {
    const key = `${plan.session?.sessionIdContext} ${host.id}`
    const known = this.#cached.get(key)
    this.#cached.delete(key)
    const cached = known && fits(known, host, plan) ? known : this.#build(key, host, plan)
    if (known && known !== cached) this.#retire(known)
    this.#cached.set(key, cached)
    this.#evict()
    return cached.context
  }

  /** Frees nothing any more; what is asked for is still built. */
  stopFreeing(): void {
    this.#retired.clear()
  }

  #build(key: string, host: Host, plan: ContextPlan): Cached {
    const context = this.#building.then(() => runInSlices(buildContext(plan), { longestMs: 0 }))
    const cached = { host, plan, context }
    this.#building = context.catch(() => {
      // A build that failed is tried anew by the next client.
      if (this.#cached.get(key) === cached) this.#cached.delete(key)
    })
    return cached
  }

  #evict(): void {
    for (const [key, oldest] of this.#cached) {
      if (this.#cached.size <= this.#limit) return
      this.#cached.delete(key)
      this.#retire(oldest)
    }
  }

  #retire({ context }: Cached): void {
    context.then(
      (built) => this.#retired.add(built),
      () => {},
    )
  }
}

/** Ticket keys may differ: those that count are the default context's. */
function fits(cached: Cached, host: Host, plan: ContextPlan): boolean {
  return (
    cached.host === host &&
    cached.plan.options === plan.options &&
    cached.plan.material.trust === plan.material.trust
  )
}
