import type { ReloadResult } from '../api/result.js'
import { ReloadError } from '../base/errors.js'
import { untilAborted } from '../base/until-aborted.js'
import { RequestProblem } from './problem-document.js'

/**
 * Waits for the result of a pass; the pass continues when the wait ends.
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
    const detail = `no result within ${timeoutMs} ms; the pass continues, GET /status shows its result`
    throw new RequestProblem('reload-timeout', detail)
  }
}
