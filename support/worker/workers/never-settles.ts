import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

export function prepare({ well, taken }: WorkerTask): number | Promise<number> {
  if (well) return threadId
  Atomics.store(taken, 0, 1)
  return new Promise(() => {})
}
