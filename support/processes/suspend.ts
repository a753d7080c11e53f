import { readdirSync, readFileSync } from 'node:fs'

/**
 * Suspends a process, and returns when all its threads have stopped. Until then, a FUSE server may still take a request, and
 * not even SIGKILL ends a call that a stopped server has taken.
 */
export function suspend(pid: number): void {
  process.kill(pid, 'SIGSTOP')
  while (!isSuspended(pid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
}

function isSuspended(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) =>
    /^\d+ \(.*\) [TZX] /s.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
  )
}
