import type { DrainContext } from './connections/drain-context.js'

/** The wait ends after `QUIET_TURNS` consecutive turns of the loop without a new connection, at most `MAX_TURNS` in all. */
const QUIET_TURNS = 3
const MAX_TURNS = 250

/**
 * Calls `over` at the end of the lame-duck phase: after its time, and after some turns of the loop without a new connection.
 * Closing the listener resets the connections that wait in the kernel to be accepted, and a loop that was blocked has many
 * of them.
 *
 * @returns a function that cancels the call.
 */
export function afterLameDuck(
  lameDuckMs: number,
  { connections, clock }: Pick<DrainContext, 'connections' | 'clock'>,
  over: () => void,
): () => void {
  const waitForQuiet = (quiet: number, turns: number): void => {
    if (quiet === QUIET_TURNS || turns === MAX_TURNS) {
      over()
      return
    }
    const { arrivals } = connections
    const immediate = setImmediate(() =>
      waitForQuiet(connections.arrivals > arrivals ? 0 : quiet + 1, turns + 1),
    )
    cancel = () => clearImmediate(immediate)
  }
  let cancel = clock.after(lameDuckMs, () => waitForQuiet(0, 1))
  return () => cancel()
}
