import type { DrainContext } from './connections/drain-context.js'

/** The wait ends after so many turns of the loop in a row without a new connection, or after so many turns in all. */
const QUIET_TURNS = 3
const MOST_TURNS = 250

/**
 * Calls `over` at the end of the lame duck: after its time, and once some turns of the loop have brought no new connection.
 * Connections that wait in the kernel to be accepted are reset when the listener closes, and a loop that was held up has
 * many of them.
 *
 * @returns a function that cancels the call.
 */
export function afterLameDuck(
  lameDuckMs: number,
  { book, clock }: Pick<DrainContext, 'book' | 'clock'>,
  over: () => void,
): () => void {
  const waitForQuiet = (quiet: number, turns: number): void => {
    if (quiet === QUIET_TURNS || turns === MOST_TURNS) {
      over()
      return
    }
    const { arrivals } = book
    const immediate = setImmediate(() => waitForQuiet(book.arrivals > arrivals ? 0 : quiet + 1, turns + 1))
    cancel = () => clearImmediate(immediate)
  }
  let cancel = clock.after(lameDuckMs, () => waitForQuiet(0, 1))
  return () => cancel()
}
