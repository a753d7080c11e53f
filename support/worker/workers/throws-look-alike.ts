import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

/** The second line of the message looks like a line of the stack. */
export function prepare({ well, secret }: WorkerTask): number {
  if (well) return threadId
  throw new Error(`cannot parse\n    at ${secret}`)
}
