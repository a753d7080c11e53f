import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

export function prepare({ well }: WorkerTask): number {
  if (well) return threadId
  setTimeout(() => process.exit(3), 20)
  return threadId
}
