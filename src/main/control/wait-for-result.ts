import type { ReloadResult } from '../api/result.js'
import { ReloadError } from '../base/errors.js'
import { untilAborted } from '../base/until-aborted.js'
import { RequestProblem } from './problem-document.js'

/**
 * Waits for a pass on behalf of a client; the pass goes on when the wait is over.
 *
 * @throws RequestProblem `reload-timeout`
 */
export async function waitForResult(
  pass: Promise<ReloadResult>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ReloadResult> {
  try {
    return await untilAborted(pass, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]))
  } catch (error) {
    if (!(error instanceof ReloadError) || error.code !== 'ABORTED') throw error
    const detail = `no result within ${timeoutMs} ms; the work goes on, GET /status tells how it ended`
    throw new RequestProblem('reload-timeout', detail)
  }
}
