import type tls from 'node:tls'

import type { Problem } from '../../workers/base/problem.js'
import type { Look } from '../../workers/protocol/verify.js'
import type { Clock } from '../base/clock.js'
import type { ReloadError } from '../base/errors.js'
import type { Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import type { Worker } from '../threads/pool.js'
import { Arrivals } from './arrivals.js'
import {
  addressName,
  judgeDefault,
  judgeHost,
  judgeNamed,
  type SeenTarget,
  type Standing,
  standingOf,
  type Verdict,
} from './served-verdict.js'
import { defaultTargets, type Listener, type ServedTarget, verifyTargets } from './verify-targets.js'

/** How long a commit may wait for looks that precede it, in milliseconds: as long as one look may take. */
const BEFORE_LIMIT_MS = 2_000

/** Where the engine's certificate is served. */
export interface ServedListener {
  readonly listener: Listener
  /** The attached server; `null` for one of another process or thread. */
  readonly server: tls.Server | null
}

/** What a commit is judged by. */
export interface CommittedMaterial {
  readonly before: Snapshot
  readonly next: Snapshot
  /** SNI hosts that differ between the two. */
  readonly changed: readonly Host[]
}

export interface ServedFindings {
  /** Why the commit is to be undone; `null` where it stays. */
  readonly mismatch: string | null
  readonly warnings: readonly Problem[]
  /** To be called once the commit stays or has been undone. */
  readonly settle: (stays: boolean) => void
}

/**
 * VERIFY: has the worker look at every listener after a commit, and judges what it saw. It remembers how each listener
 * stood, so that a commit is undone only where the listener was in order before.
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
   * Looks at the listeners that no earlier commit was followed by a look at; to be awaited before the commit. Never
   * rejects, and takes at most {@link BEFORE_LIMIT_MS}; a listener that has not answered by then counts as unknown.
   */
  async lookBefore(listeners: readonly ServedListener[], served: Snapshot): Promise<void> {
    const unknown = listeners.filter(({ listener }) => !this.#standings.has(addressName(listener)))
    if (unknown.length === 0) return
    const look = this.#look(unknown, (all) => defaultTargets(all, served)).then((seen) => {
      const standings = seen.map((one) => [addressName(one.target.listener), standingOf(one)] as const)
      this.#standings = new Map([...standings, ...this.#standings])
    })
    let cancel = () => {}
    const patience = new Promise<void>((resolve) => {
      cancel = this.#clock.after(BEFORE_LIMIT_MS, resolve)
    })
    await Promise.race([look, patience])
    cancel()
  }

  /** Looks at every listener. Never rejects: what could not be looked at is a warning. `settle` once it is decided. */
  async lookAfter(
    listeners: readonly ServedListener[],
    { before, next, changed }: CommittedMaterial,
  ): Promise<ServedFindings> {
    const former = this.#standings
    const seen = await this.#look(listeners, (all) => verifyTargets(all, next, changed))
    const expected = before.generation.certificates.map(({ fingerprint256 }) => fingerprint256)
    const defaults = seen.filter(({ target }) => target.kind === 'default')
    const standings = new Map(defaults.map((one) => [addressName(one.target.listener), standingOf(one)]))
    const verdicts = seen.map((one): Verdict => {
      const key = addressName(one.target.listener)
      if (one.target.kind === 'default') return judgeDefault(one, { standing: former.get(key), expected })
      // What is wrong by default is said once.
      if (standings.get(key) !== 'served') return { kind: 'good' }
      return one.target.kind === 'named' ? judgeNamed(one) : judgeHost(one)
    })
    return {
      mismatch: verdicts.flatMap((one) => (one.kind === 'mismatch' ? [one.message] : []))[0] ?? null,
      warnings: verdicts.flatMap((one) => (one.kind === 'warning' ? [one.problem] : [])),
      settle: (stays) => {
        // Undone, the next pass looks before its commit: what is still wrong by then is not for that commit to answer for.
        this.#standings = stays ? standings : new Map()
      },
    }
  }

  async #look(
    listeners: readonly ServedListener[],
    targetsOf: (listeners: readonly Listener[]) => ServedTarget[],
  ): Promise<SeenTarget[]> {
    const servers = new Map(listeners.map(({ listener, server }) => [listener, server]))
    const targets = targetsOf([...servers.keys()])
    if (targets.length === 0) return []
    const arrivals = new Arrivals([...servers.values()].filter((server) => server !== null))
    try {
      const looks = await this.#worker.verify({ targets: targets.map(({ address }) => address) })
      return targets.map((target, i) => {
        const look = looks[i] as Look
        const server = servers.get(target.listener) ?? null
        return { target, look, own: server === null || arrivals.has(server, look.localPort) }
      })
    } catch (error) {
      const detail = `the worker could not look: ${(error as ReloadError).code}`
      return targets.map((target) => {
        return {
          target,
          look: { outcome: 'unreachable', certificate: null, detail, localPort: null },
          own: true,
        }
      })
    } finally {
      arrivals.stop()
    }
  }
}
