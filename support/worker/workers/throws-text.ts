import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

export function prepare({ well, secret }: WorkerTask): number {
  if (well) return threadId
  throw secret
}
