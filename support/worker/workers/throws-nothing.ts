import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

export function prepare({ well }: WorkerTask): number {
  if (well) return threadId
  // biome-ignore lint/style/useThrowOnlyError: what a dependency may do all the same.
  throw undefined
}
