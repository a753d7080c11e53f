import { setPriority } from 'node:os'

import { type Child, startChild } from '../process/child.js'
import type { HostileCalls } from './hostile-main.js'

/**
 * Hostile clients, in a process of the lowest priority: what they take of the processor for themselves is not what the
 * server lets them take.
 */
export function startHostileProcess(): Child<HostileCalls> {
  const child = startChild<HostileCalls>(new URL('./hostile-main.js', import.meta.url))
  setPriority(child.pid, LOWEST)
  return child
}

const LOWEST = 19
