import type { LookOutTask } from '../../../src/workers/protocol/look-out.js'

export { prepare, verify } from '../../../src/workers/tasks.js'

/** Prepares as the real one does, and ends its thread when it is asked to look. */
export function lookOut({ port }: LookOutTask): void {
  port.on('message', () => process.exit())
}
