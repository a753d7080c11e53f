import { expiredProblem } from '../../../workers/problems/out-of-date.js'
import type { EngineStatus } from '../../api/reload-engine.js'
import { servingOf } from '../../api/result.js'

/** The status line of an engine: what it serves and, if that is not what is on disk, the reason. */
export function statusOf(status: EngineStatus): string {
  const { generation, lastFailure, state } = status
  const { fingerprint256, notAfter } = servingOf(generation)
  const serving = `${expiredText(status)}serving generation ${generation.number}, ${fingerprint256} until ${notAfter}`
  const [problem] = lastFailure?.problems ?? []
  if (status.failingSince === null || !problem) return serving
  const what = state === 'waiting-for-pair' ? 'half of a renewal is on disk' : 'not reloaded'
  // First, because terminals truncate long lines.
  return `${what}, ${problem.code}: ${problem.message}; ${serving}`
}

/** The most urgent kind of served material that has expired. */
function expiredText({ ends: { leaf, chain, crl, ca } }: EngineStatus): string {
  const end = [leaf, chain, crl, ca].find((one) => one?.expired)
  if (!end) return ''
  const { code, message } = expiredProblem(end.kind, [end])
  return `${code}: ${message}; `
}
