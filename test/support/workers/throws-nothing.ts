import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

export default function throwingNothing({ well }: WorkerTask): number {
  if (well) return threadId
  // biome-ignore lint/style/useThrowOnlyError: what a dependency may do all the same.
  throw undefined
}
