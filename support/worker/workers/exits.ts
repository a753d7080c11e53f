import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

export function prepare({ well }: WorkerTask): number {
  if (well) return threadId
  process.exit(3)
}
