import type { MaterialSource } from '../../api/source.js'
import { systemClock } from '../../base/clock.js'
import { ReloadError } from '../../base/errors.js'
import { sourceFailure } from '../../feed/source-problem.js'
import { TimedCalls } from '../../feed/timed-calls.js'

const DEFAULT_TIMEOUT_SECONDS = 10

/**
 * Reads a source once, and returns a source with only this answer. A server would repeat a failed read; a check reports it.
 *
 * @throws ReloadError with the code of the problem.
 */
export async function readOnce(
  source: MaterialSource,
  timeoutSeconds: number = DEFAULT_TIMEOUT_SECONDS,
): Promise<MaterialSource> {
  const calls = new TimedCalls(systemClock, timeoutSeconds * 1000)
  try {
    const delivery = await calls.run((signal) => source.read({ version: null, signal }))
    return {
      name: source.name,
      read: async () => delivery,
      // For hosts on demand, which an engine without servers never requests.
      ...(source.readHost && { readHost: async () => 'none' as const }),
    }
  } catch (error) {
    const { problem } = sourceFailure(source.name, error)
    throw new ReloadError(problem.code, problem.message, { problems: [problem] })
  } finally {
    calls.close()
  }
}
