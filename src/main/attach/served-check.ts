import type tls from 'node:tls'

import type { Problem } from '../../workers/base/problem.js'
import type { ListenerCheck } from '../../workers/protocol/verify.js'
import type { Clock } from '../base/clock.js'
import type { ReloadError } from '../base/errors.js'
import type { Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import type { Worker } from '../threads/pool.js'
import { Arrivals } from './arrivals.js'
import {
  addressName,
  type CheckedTarget,
  judgeDefault,
  judgeHost,
  judgeNamed,
  type Standing,
  standingOf,
  type Verdict,
} from './served-verdict.js'
import { defaultTargets, type Listener, type ServedTarget, verifyTargets } from './verify-targets.js'

/** Maximum number of milliseconds that a commit waits for the check before it: the time limit of one check. */
const BEFORE_LIMIT_MS = 2_000

/** A listener that serves the engine's certificate. */
export interface ServedListener {
  readonly listener: Listener
  /** The attached server; `null` if it is in another process or thread. */
  readonly server: tls.Server | null
}

/** The generations before and after a commit, by which it is judged. */
export interface CommittedMaterial {
  readonly before: Snapshot
  readonly next: Snapshot
  /** SNI hosts that differ between the two. */
  readonly changed: readonly Host[]
}

export interface ServedFindings {
  /** Why the commit must be undone; `null` if it stays. */
  readonly mismatch: string | null
  readonly warnings: readonly Problem[]
  /** To be called once the commit stays or has been undone. */
  readonly settle: (stays: boolean) => void
}

/**
 * VERIFY: after a commit, the worker connects to every listener, and the certificates it receives are judged. The previous
 * standing of each listener is kept, so that a commit is undone only if the listener was in order before.
 */
export class ServedCheck {
  readonly #worker: Pick<Worker, 'verify'>
  readonly #clock: Clock
  /** By address. */
  #standings: ReadonlyMap<string, Standing> = new Map()

  constructor(worker: Pick<Worker, 'verify'>, clock: Clock) {
    this.#worker = worker
    this.#clock = clock
  }

  /**
   * Checks the listeners that were not checked after an earlier commit; to be awaited before the commit. Never rejects, and
   * takes at most {@link BEFORE_LIMIT_MS}; the standing of a listener that has not answered by then is unknown.
   */
  async checkBefore(listeners: readonly ServedListener[], served: Snapshot): Promise<void> {
    const unknown = listeners.filter(({ listener }) => !this.#standings.has(addressName(listener)))
    if (unknown.length === 0) return
    const checking = this.#check(unknown, (all) => defaultTargets(all, served)).then((seen) => {
      const standings = seen.map((one) => [addressName(one.target.listener), standingOf(one)] as const)
      this.#standings = new Map([...standings, ...this.#standings])
    })
    let cancel = () => {}
    const timeLimit = new Promise<void>((resolve) => {
      cancel = this.#clock.after(BEFORE_LIMIT_MS, resolve)
    })
    await Promise.race([checking, timeLimit])
    cancel()
  }

  /** Checks every listener. Never rejects: a listener that cannot be checked is a warning. */
  async checkAfter(
    listeners: readonly ServedListener[],
    { before, next, changed }: CommittedMaterial,
  ): Promise<ServedFindings> {
    const former = this.#standings
    const seen = await this.#check(listeners, (all) => verifyTargets(all, next, changed))
    const expected = before.generation.certificates.map(({ fingerprint256 }) => fingerprint256)
    const defaults = seen.filter(({ target }) => target.kind === 'default')
    const standings = new Map(defaults.map((one) => [addressName(one.target.listener), standingOf(one)]))
    const verdicts = seen.map((one): Verdict => {
      const key = addressName(one.target.listener)
      if (one.target.kind === 'default') return judgeDefault(one, { standing: former.get(key), expected })
      // A wrong default certificate is reported once, not again for each name.
      if (standings.get(key) !== 'served') return { kind: 'good' }
      return one.target.kind === 'named' ? judgeNamed(one) : judgeHost(one)
    })
    return {
      mismatch: verdicts.flatMap((one) => (one.kind === 'mismatch' ? [one.message] : []))[0] ?? null,
      warnings: verdicts.flatMap((one) => (one.kind === 'warning' ? [one.problem] : [])),
      settle: (stays) => {
        // After an undo, the next pass checks before its commit, so that it is not blamed for what was already wrong.
        this.#standings = stays ? standings : new Map()
      },
    }
  }

  async #check(
    listeners: readonly ServedListener[],
    targetsOf: (listeners: readonly Listener[]) => ServedTarget[],
  ): Promise<CheckedTarget[]> {
    const servers = new Map(listeners.map(({ listener, server }) => [listener, server]))
    const targets = targetsOf([...servers.keys()])
    if (targets.length === 0) return []
    const arrivals = new Arrivals([...servers.values()].filter((server) => server !== null))
    try {
      const checks = await this.#worker.verify({ targets: targets.map(({ address }) => address) })
      return targets.map((target, i) => {
        const check = checks[i] as ListenerCheck
        const server = servers.get(target.listener) ?? null
        return { target, check, own: server === null || arrivals.has(server, check.localPort) }
      })
    } catch (error) {
      const detail = `the worker failed: ${(error as ReloadError).code}`
      return targets.map((target) => {
        return {
          target,
          check: { outcome: 'unreachable', certificate: null, detail, localPort: null },
          own: true,
        }
      })
    } finally {
      arrivals.stop()
    }
  }
}
