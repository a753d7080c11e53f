import cluster, { type Worker } from 'node:cluster'

import { systemRefusal } from '../../threads/thread-refusal.js'
import { CommandError, EXIT } from '../exit-codes.js'

/**
 * Starts a process that serves.
 *
 * Node reports a refusal of the system in two ways: it throws, or it returns a worker without a process, which emits `error`
 * a moment later and stays in `cluster.workers`. That event would end this process if nothing listened.
 *
 * @throws CommandError where the system refuses another process.
 */
export async function forkProcess(): Promise<Worker> {
  try {
    const worker = cluster.fork()
    const failed = new Promise<never>((_, reject) => worker.on('error', reject))
    // Later ones are about a signal or a message that a process which is about to end cannot take.
    failed.catch(() => {})
    if (worker.process.pid !== undefined) return worker
    delete cluster.workers?.[worker.id]
    return await failed
  } catch (error) {
    const reason = systemRefusal(error) ?? (error as Error).message
    throw new CommandError(EXIT.rejected, `the system refuses another process: ${reason}`, { cause: error })
  }
}
