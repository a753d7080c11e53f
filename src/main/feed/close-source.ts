import type { MaterialSource } from '../api/source.js'
import type { Clock } from '../base/clock.js'
import { holdLoop } from '../base/hold-loop.js'

/**
 * Closes a source. Not awaited for longer than the time limit: an engine must close although its source hangs.
 *
 * @param user calls code of the application, whose errors have no effect.
 */
export async function closeSource(
  source: MaterialSource,
  clock: Clock,
  timeoutMs: number,
  user: (method: string, act: () => unknown) => unknown,
): Promise<void> {
  if (!source.close) return
  // What the source waits for may have no handle, and then the process would end before its last error is shown.
  const release = holdLoop()
  await new Promise<void>((resolve) => {
    const cancel = clock.after(timeoutMs, resolve)
    const ended = () => {
      cancel()
      resolve()
    }
    const closing = user('close', () => source.close?.())
    Promise.resolve(closing).then(ended, ended)
  })
  release()
}
