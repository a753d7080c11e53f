import { threadId } from 'node:worker_threads'

import type { WorkerTask } from '../worker-task.js'

export function prepare({ well }: WorkerTask): number {
  if (well) return threadId
  const hoard: number[][] = []
  for (;;) hoard.push(Array.from({ length: 10_000 }, (_, i) => i + 0.5))
}
