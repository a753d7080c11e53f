import type { Child } from '../process/child.js'
import { KINDS } from './handshakes.js'
import type { LoadCalls } from './main.js'
import type { LoadReport } from './run-load.js'

/** The usual load. */
export const USUAL_LOAD = { kinds: KINDS, handshakesPerSecond: 100, keepAliveConnections: 20 }

/** Runs `act` during one window of the usual load; `loading` returns whether the window is still open. */
export async function duringLoad(
  load: Child<LoadCalls>,
  port: number,
  seconds: number,
  act: (loading: () => boolean) => Promise<void>,
): Promise<LoadReport> {
  let open = true
  await load.call('prepare', { ...USUAL_LOAD, port, seconds })
  const window = load.call('run').finally(() => {
    open = false
  })
  // If `act` fails first, its error is the one to report.
  window.catch(() => {})
  await act(() => open)
  return await window
}
