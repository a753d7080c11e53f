import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

export function prepare({ well }: WorkerTask): number {
  if (well) return threadId
  setTimeout(() => {
    throw new Error('thrown by nobody')
  }, 20)
  return threadId
}
