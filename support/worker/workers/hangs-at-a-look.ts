import type { LookOutTask } from '../../../src/workers/protocol/look-out.js'

export { prepare, verify } from '../../../src/workers/tasks.js'

/** Prepares as the real one does, and never comes back from a look: as on a file system that has gone away. */
export function lookOut({ port }: LookOutTask): void {
  port.on('message', () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
}
