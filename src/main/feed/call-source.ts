import type { Logger } from '../base/logger.js'
import { callUserCode } from '../base/user-code.js'
import { withoutContent } from './source-problem.js'

/**
 * Calls a method of a source whose failure has no effect. The message of an error is shown only if it is a `SourceError`: any
 * other may quote material, or an address with a password.
 *
 * @returns the return value; `undefined` if it threw.
 */
export function callSource(source: string, method: string, act: () => unknown, logger: Logger): unknown {
  const shielded = () => {
    try {
      const returned = act()
      if (!(returned instanceof Promise)) return returned
      return returned.catch((error: unknown) => {
        throw withoutContent(method, error)
      })
    } catch (error) {
      throw withoutContent(method, error)
    }
  }
  return callUserCode('hook', `${method}() of the source ${source}`, shielded, (error) => {
    logger.warn({ source, reason: (error as Error).message }, 'the source failed')
  })
}
