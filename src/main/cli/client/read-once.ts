import { type MaterialSource, SourceError } from '../../api/source.js'
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
      ...noHosts(source),
    }
  } catch (error) {
    const { problem } = sourceFailure(source.name, error)
    throw new ReloadError(problem.code, problem.message, { problems: [problem] })
  } finally {
    calls.close()
  }
}

/** A source of hosts on demand alone that opens no connection and reports nothing. */
export function neverRead(source: MaterialSource): MaterialSource {
  return {
    name: source.name,
    read: async () => {
      throw new SourceError('SOURCE_INVALID', 'a check requests no hosts')
    },
    ...noHosts(source),
  }
}

/** An engine without servers never requests hosts, but checks that the source could answer. */
function noHosts({ readHost }: MaterialSource): Pick<MaterialSource, 'readHost'> {
  return readHost === undefined ? {} : { readHost: async () => 'none' }
}
