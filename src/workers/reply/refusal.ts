import { createHash } from 'node:crypto'

import { changedPaths, type Fingerprint } from '../../fingerprint/index.js'
import { identityOfProblems, type Problem } from '../base/problem.js'
import { limitProblems } from '../problems/problem-limit.js'
import type { RefusedReply } from '../protocol/prepare.js'
import { type ServedRecord, wholeFingerprint } from './record.js'

/** The reply for a set that cannot be served. */
export function refusal(
  problems: readonly Problem[],
  warnings: readonly Problem[],
  served: ServedRecord | null,
  fingerprint: Fingerprint,
): RefusedReply {
  return {
    kind: 'refused',
    problems: limitProblems(problems),
    warnings: limitProblems(warnings),
    changed: served && fingerprint.length > 0 ? changedPaths(wholeFingerprint(served), fingerprint) : [],
    failureDigest: failureDigestOf(problems, fingerprint),
  }
}

function failureDigestOf(problems: readonly Problem[], fingerprint: Fingerprint): string {
  return createHash('sha256')
    .update(JSON.stringify([identityOfProblems(problems), fingerprint]))
    .digest('hex')
}
