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

/** Contexts of hosts, built in slices on the first request. Their number is limited; the least recently used is evicted. */
export class HostContexts {
  readonly #limit: number
  readonly #retired: RetiredContexts
  /** Least recently used first. */
  readonly #cached = new Map<string, Cached>()
  /** Keys of `#cached` under which a host may be found. */
  readonly #keys = new WeakMap<Host, Set<string>>()
  /** Serializes the builds: a hundred concurrent builds would each take a slice in the same turn of the event loop. */
  #building: Promise<unknown> = Promise.resolve()

  constructor(limit: number, clock: Clock) {
    this.#limit = limit
    this.#retired = new RetiredContexts(limit, clock)
  }

  get size(): number {
    return this.#cached.size
  }

  /** The context of a host for this plan. Concurrent requests share one build. */
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

  /** Frees the contexts of a host that is not served any more. */
  forget(host: Host): void {
    for (const key of this.#keys.get(host) ?? []) {
      const cached = this.#cached.get(key)
      if (cached?.host !== host) continue
      this.#cached.delete(key)
      this.#retire(cached)
    }
  }

  /** Stops freeing contexts. New contexts can still be built. */
  stopFreeing(): void {
    this.#retired.clear()
  }

  #build(key: string, host: Host, plan: ContextPlan): Cached {
    const context = this.#building.then(() => runInSlices(buildContext(plan), { longestMs: 0 }))
    const cached = { host, plan, context }
    const keys = this.#keys.get(host)
    if (keys) keys.add(key)
    else this.#keys.set(host, new Set([key]))
    this.#building = context.catch(() => {
      // The next client retries a failed build.
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

/** Ticket keys may differ, because those of the default context are used. */
function fits(cached: Cached, host: Host, plan: ContextPlan): boolean {
  return (
    cached.host === host &&
    cached.plan.options === plan.options &&
    cached.plan.material.trust === plan.material.trust
  )
}
