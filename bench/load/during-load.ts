import type { Child } from '../process/child.js'
import { KINDS } from './handshakes.js'
import type { LoadCalls } from './main.js'
import type { LoadReport } from './run-load.js'

const HANDSHAKES_PER_SECOND = 100
const KEEP_ALIVE_CONNECTIONS = 20

/** Runs `act` beside one window of the usual load; `loading` says whether the window is still open. */
export async function duringLoad(
  load: Child<LoadCalls>,
  port: number,
  seconds: number,
  act: (loading: () => boolean) => Promise<void>,
): Promise<LoadReport> {
  let open = true
  const rates = { handshakesPerSecond: HANDSHAKES_PER_SECOND, keepAliveConnections: KEEP_ALIVE_CONNECTIONS }
  await load.call('prepare', { port, seconds, kinds: KINDS, ...rates })
  const window = load.call('run').finally(() => {
    open = false
  })
  // When `act` fails first, that is what is told.
  window.catch(() => {})
  await act(() => open)
  return await window
}
