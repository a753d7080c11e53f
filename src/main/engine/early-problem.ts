import type { Problem, ProblemCode } from '../../workers/base/problem.js'
import { type DatedWords, datedProblem } from '../../workers/problems/dated-problem.js'
import type { MaterialEnd } from '../../workers/protocol/ends.js'
import type { WatchedKind } from './earliest-ends.js'

/**
 * One warning for all served material of a kind that is not valid yet by the clock of this machine, see {@link datedProblem}.
 * Usually the clock was set back after the material was loaded.
 */
export function earlyProblem(
  kind: WatchedKind,
  first: readonly Pick<MaterialEnd, 'name' | 'notBefore' | 'path' | 'host'>[],
  count: number,
): Problem {
  const named = first.map((end) => ({ ...end, at: end.notBefore }))
  return datedProblem(WORDS[kind], { one: 'is not valid before', many: 'are not valid yet' }, named, count)
}

const WORDS: Record<WatchedKind, DatedWords> = {
  leaf: {
    code: 'CERT_NOT_YET_VALID',
    one: 'served certificate',
    many: 'served certificates',
    effect: '; clients refuse it until then, unless the clock of this machine is wrong',
  },
  chain: {
    code: 'CERT_NOT_YET_VALID',
    one: 'served chain certificate',
    many: 'served chain certificates',
    effect: '; clients refuse the chain until then, unless the clock of this machine is wrong',
  },
  spare: {
    code: 'CERT_NOT_YET_VALID',
    one: 'served chain certificate',
    many: 'served chain certificates',
    effect: '; clients that trust its root do not need it: leave it out of the file',
  },
  ca: {
    code: 'CERT_NOT_YET_VALID',
    one: 'trust anchor',
    many: 'trust anchors',
    effect: '; peers below it are refused until then',
  },
  crl: {
    code: 'CRL_NOT_YET_VALID',
    one: 'revocation list of',
    many: 'revocation lists',
    effect: '; every client of its CA is refused until then',
  },
  ocsp: {
    code: 'OCSP_NOT_YET_VALID',
    one: 'OCSP response for',
    many: 'OCSP responses',
    effect: '; it is not stapled until then, unless the clock of this machine is wrong',
  },
}

/** The codes of these warnings. */
export const EARLY_CODES: ReadonlySet<string> = new Set<ProblemCode>(
  Object.values(WORDS).map(({ code }) => code),
)
