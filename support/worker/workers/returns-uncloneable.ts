import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

/** The error that this makes quotes the symbol. */
export function prepare({ well, secret }: WorkerTask): number | symbol {
  if (well) return threadId
  return Symbol(secret)
}
