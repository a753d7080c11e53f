import { type Child, startChild } from '../process/child.js'
import type { LoadCalls } from './main.js'

/** Starts the load in a process of its own, so that no client shares a thread with a server. */
export function startLoadProcess(): Child<LoadCalls> {
  return startChild<LoadCalls>(new URL('./main.js', import.meta.url))
}
