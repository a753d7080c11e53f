import type { Problem, ProblemCode } from '../base/problem.js'
import type { EndKind, MaterialEnd } from '../protocol/ends.js'
import { type DatedWords, datedProblem } from './dated-problem.js'

/** The subject of a message about an end. */
type NamedEnd = Pick<MaterialEnd, 'name' | 'notAfter' | 'path' | 'host'>

/**
 * One warning for all expired items of a kind, see {@link datedProblem}. The worker uses it for trust anchors that it
 * loads, the main thread for everything in service.
 *
 * @param kind `spare` is a chain certificate that no client needs.
 */
export function expiredProblem(
  kind: EndKind | 'spare',
  first: readonly NamedEnd[],
  count: number = first.length,
): Problem {
  const named = first.map((end) => ({ ...end, at: end.notAfter }))
  return datedProblem(WORDS[kind], { one: 'expired on', many: 'have expired' }, named, count)
}

const WORDS: Record<EndKind | 'spare', DatedWords> = {
  leaf: {
    code: 'CERT_EXPIRED',
    one: 'served certificate',
    many: 'served certificates',
    effect: '; clients refuse it',
  },
  chain: {
    code: 'CERT_EXPIRED',
    one: 'served chain certificate',
    many: 'served chain certificates',
    effect: '; clients refuse the chain',
  },
  spare: {
    code: 'CERT_EXPIRED',
    one: 'served chain certificate',
    many: 'served chain certificates',
    effect: '; clients that trust its root do not need it: leave it out of the file, or renew it',
  },
  ca: { code: 'CA_EXPIRED', one: 'trust anchor', many: 'trust anchors', effect: '' },
  crl: {
    code: 'CRL_EXPIRED',
    one: 'revocation list of',
    many: 'revocation lists',
    effect: '; every client of its CA is refused',
  },
  ocsp: {
    code: 'OCSP_EXPIRED',
    one: 'OCSP response for',
    many: 'OCSP responses',
    effect: '; it is not stapled any more',
  },
}

/** The codes of these warnings. */
export const EXPIRED_CODES: ReadonlySet<string> = new Set<ProblemCode>(
  Object.values(WORDS).map(({ code }) => code),
)
