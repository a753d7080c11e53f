import type { JudgePeersTask, PeerChain } from '../../workers/protocol/judge-peers.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import type { Worker } from '../threads/pool.js'

/** Maximum number of peers in one task. About 0.5 ms each on Node 20; the worker returns early when a task takes too long. */
const MAX_PEERS = 500
/** Number of parts that a failed task is divided into: if a peer hangs the worker, each round takes a whole time limit. */
const PARTS = 16
/** Delays before the attempts while the worker itself is unavailable; after the last, its peers are not accepted. */
const RETRY_AFTER_MS: readonly number[] = [250, 1_000, 2_000, 4_000, 8_000]

/**
 * Judges peers in tasks of bounded size, one after the other. A task that crashes the worker or exceeds its time limit is
 * divided until the peer that causes it is found: that peer is not accepted, and the others are judged. If the worker fails
 * without any peer, it is retried for about 15 seconds; peers not judged by then are not accepted.
 *
 * @returns for each peer whether it is accepted.
 * @throws ReloadError `CLOSED`
 */
export async function judgeAll(
  chains: readonly PeerChain[],
  trust: Omit<JudgePeersTask, 'chains'>,
  { worker, clock, logger }: JudgingParts,
): Promise<boolean[]> {
  const verdicts: boolean[] = chains.map(() => false)
  const queue = divided(Array.from(chains.keys()), Math.ceil(chains.length / MAX_PEERS))
  const retried = new Set<number | undefined>()
  let failures = 0
  for (let task = queue.shift(); task; task = queue.shift()) {
    try {
      const judged = await worker.judgePeers({
        ...trust,
        chains: task.map((i) => chains[i] as PeerChain),
      })
      const missing = task.filter((_, k) => judged[k] == null)
      task.forEach((i, k) => {
        verdicts[i] = judged[k] === true
      })
      // If the worker judged none of them, another attempt would not either.
      if (missing.length > 0 && missing.length < task.length) queue.unshift(missing)
      failures = 0
    } catch (error) {
      const code = codeOf(error)
      const cause = await causeOf()
      if (cause === 'worker') {
        const waitMs = RETRY_AFTER_MS[failures++]
        const waiting = { code, peers: task.length + queue.flat().length }
        if (waitMs === undefined) {
          logger.error(
            waiting,
            'the worker is unavailable; connections that it did not judge are not trusted',
          )
          return verdicts
        }
        logger.warn({ ...waiting, retryMs: waitMs }, 'the worker failed while judging connections; retrying')
        await new Promise<void>((resolve) => void clock.after(waitMs, resolve))
        queue.unshift(task)
      } else if (task.length > 1) {
        queue.push(...divided(task, PARTS))
      } else if (!retried.has(task[0])) {
        retried.add(task[0])
        queue.unshift(task)
      } else {
        logger.warn({ code }, "a client's certificates cannot be judged; its connections are not trusted")
      }
    }
  }
  return verdicts

  /** `worker` if it also fails without any peer, for instance because threads cannot start. */
  async function causeOf(): Promise<'peers' | 'worker'> {
    try {
      await worker.judgePeers({ ...trust, chains: [] })
      return 'peers'
    } catch (error) {
      codeOf(error)
      return 'worker'
    }
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof ReloadError) || error.code === 'CLOSED') throw error
  return error.code
}

function divided<T>(items: readonly T[], parts: number): T[][] {
  const size = Math.ceil(items.length / parts)
  return Array.from({ length: parts }, (_, i) => items.slice(i * size, (i + 1) * size)).filter(
    ({ length }) => length > 0,
  )
}

/** Parts needed to judge live peers. */
export interface JudgingParts {
  readonly worker: Pick<Worker, 'judgePeers'>
  readonly clock: Pick<Clock, 'after'>
  readonly logger: Logger
}
