import type { ReloadResult } from '../../src/main/api/result.js'
import type { PassReport } from '../../src/main/reload/pass-report.js'
import type { Problem, ProblemCode } from '../../src/workers/base/problem.js'
import type { CertificateFacts } from '../../src/workers/protocol/material.js'

/** Facts of a made-up certificate. */
export function certificateFacts(facts: Partial<CertificateFacts> = {}): CertificateFacts {
  return {
    subject: 'CN=localhost',
    issuer: 'CN=Test CA',
    names: ['localhost'],
    serial: '01',
    fingerprint256: 'AB:CD',
    notBefore: '2026-01-01T00:00:00.000Z',
    notAfter: '2026-04-01T00:00:00.000Z',
    chain: [],
    chainNotAfter: '2026-04-01T00:00:00.000Z',
    keyType: 'EC prime256v1',
    ...facts,
  }
}

/** The report of a made-up pass. */
export function passReport(
  outcome: ReloadResult['outcome'],
  more: Partial<ReloadResult & PassReport> = {},
): PassReport {
  const {
    failureDigest = '',
    fileWarnings = [],
    pairMismatch = false,
    isRolledBack = false,
    ...result
  } = more
  return {
    failureDigest,
    fileWarnings,
    pairMismatch,
    isRolledBack,
    result: {
      outcome,
      trigger: 'timer',
      generation: 1,
      serving: { ...certificateFacts(), alternates: [] },
      problems: [],
      warnings: [],
      changed: [],
      diff: null,
      restored: null,
      hosts: null,
      members: [],
      verification: 'not-reached',
      timings: { prepareMs: 1, stageMs: 0, commitMs: 0, verifyMs: 0, totalMs: 1, longestSliceMs: 0 },
      ...result,
    },
  }
}

export function problem(code: ProblemCode, path = 'tls.crt'): Problem {
  return { code, message: `${code} in ${path}`, path }
}
