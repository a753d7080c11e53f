import { writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'

import { type Child, startChild } from '../process/child.js'
import type { HostileCalls } from './hostile-main.js'

/**
 * Starts hostile clients in a process of the lowest priority, so that their own processor time is not attributed to the
 * server.
 */
export function startHostileProcess(): Child<HostileCalls> {
  const child = startChild<HostileCalls>(new URL('./hostile-main.js', import.meta.url))
  setPriority(child.pid, LOWEST)
  setPriorityOfSession(child.pid)
  return child
}

const LOWEST = 19

/**
 * Every process of the bench is a session of its own. Linux may share the processor between sessions first; the priority of
 * a process then only counts within its session (sched(7), "The autogroup feature").
 */
function setPriorityOfSession(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, `${LOWEST}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
