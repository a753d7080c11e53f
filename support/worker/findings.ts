import type { ProblemCode } from '../../src/workers/base/problem.js'
import { Findings } from '../../src/workers/problems/findings.js'

/** The codes of findings. */
export interface FoundCodes {
  readonly problems: ProblemCode[]
  readonly warnings: ProblemCode[]
}

/** Runs a judge and returns the codes of its findings. */
export function found(judge: (findings: Findings) => unknown, force = false): FoundCodes {
  const findings = new Findings(force)
  judge(findings)
  return codesOf(findings)
}

export function codesOf({ problems, warnings }: Pick<Findings, 'problems' | 'warnings'>): FoundCodes {
  return { problems: problems.map(({ code }) => code), warnings: warnings.map(({ code }) => code) }
}
