import type { MaterialSource } from '../api/source.js'
import type { Clock } from '../base/clock.js'

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
  await new Promise<void>((resolve) => {
    const cancel = clock.after(timeoutMs, resolve)
    const ended = () => {
      cancel()
      resolve()
    }
    const closing = user('close', () => source.close?.())
    Promise.resolve(closing).then(ended, ended)
  })
}
