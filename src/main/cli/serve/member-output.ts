import type { Worker } from 'node:cluster'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

import { logOutput } from '../../base/log-output.js'

/**
 * The stdio of a serving process, including its channel. If inheriting the log of this process would make writes here block,
 * it gets pipes, and this process writes its lines.
 */
export function stdioOfMembers(): ('ignore' | 'inherit' | 'pipe' | 'ipc')[] {
  const how = logOutput().inheritable ? 'inherit' : 'pipe'
  return ['ignore', how, how, 'ipc']
}

/** Writes the lines of a process with pipes to the log of this process. */
export function passOnLines({ process: { stdout, stderr } }: Worker): void {
  passOn(stdout, 1)
  passOn(stderr, 2)
}

function passOn(from: Readable | null, fd: 1 | 2): void {
  if (!from) return
  createInterface({ input: from }).on('line', (line) => logOutput(fd).write(`${line}\n`))
  // The process has ended, which is reported elsewhere.
  from.on('error', () => {})
}
