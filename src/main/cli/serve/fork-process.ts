import cluster, { type Worker } from 'node:cluster'

import { systemRefusal } from '../../threads/thread-refusal.js'
import { CommandError, EXIT } from '../exit-codes.js'

/**
 * Starts a serving process.
 *
 * If the system refuses, Node either throws, or returns a worker without a process, which emits `error` later and stays in
 * `cluster.workers`. Without a listener, that event would end this process.
 *
 * @throws CommandError if the system refuses another process.
 */
export async function forkProcess(): Promise<Worker> {
  try {
    const worker = cluster.fork()
    const failed = new Promise<never>((_, reject) => worker.on('error', reject))
    // Later errors concern signals or messages to a process that is about to end.
    failed.catch(() => {})
    if (worker.process.pid !== undefined) return worker
    delete cluster.workers?.[worker.id]
    return await failed
  } catch (error) {
    const reason = systemRefusal(error) ?? (error as Error).message
    throw new CommandError(EXIT.rejected, `the system refuses another process: ${reason}`, { cause: error })
  }
}
