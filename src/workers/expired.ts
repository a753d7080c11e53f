import type { EndKind, MaterialEnd } from './material-ends.js'
import type { Problem, ProblemCode } from './problem.js'

/** What a message needs to know of an end. */
export type NamedEnd = Pick<MaterialEnd, 'name' | 'notAfter' | 'path' | 'host'>

/**
 * One warning for everything of a kind that has expired: a bundle may hold dozens of roots that nobody has removed. The
 * worker uses it for trust anchors that it loads, the main thread for everything that is served.
 *
 * @param kind `spare` is a certificate of the chain that no client needs.
 * @param first the first of them, at least one; {@link MOST_NAMED} are named.
 * @param count how many there are.
 */
export function expiredProblem(
  kind: EndKind | 'spare',
  first: readonly NamedEnd[],
  count: number = first.length,
): Problem {
  const [end] = first as readonly [NamedEnd]
  const path = first.every((other) => other.path === end.path) ? end.path : undefined
  const { code, one, many, effect } = WORDS[kind]
  const inFile = path === undefined ? '' : ` in ${path}`
  const where = path === undefined ? {} : { path }
  if (count === 1) {
    const ofHost = end.host === undefined ? '' : ` of host ${end.host}`
    const message = `the ${one} ${end.name}${ofHost}${inFile} expired on ${end.notAfter}${effect}`
    return { code, message, ...where, ...(end.host === undefined ? {} : { host: end.host }) }
  }
  const named = first.slice(0, MOST_NAMED)
  const list = named.map(({ name, notAfter, host }) => `${host ?? name} (${notAfter})`).join(SEPARATOR)
  const more = count > named.length ? ` and ${count - named.length} more` : ''
  return { code, message: `${count} ${many}${inFile} have expired: ${list}${more}${effect}`, ...where }
}

const SEPARATOR = ', '

/** Whether such a warning names this host, alone or in its list. */
export function namesHost({ host, message }: Problem, id: string): boolean {
  return host === id || [': ', SEPARATOR].some((before) => message.includes(`${before}${id} (`))
}

/** How many expired things a warning names; it gives the number of the others. */
export const MOST_NAMED = 10

interface Words {
  readonly code: ProblemCode
  readonly one: string
  readonly many: string
  readonly effect: string
}

const WORDS: Record<EndKind | 'spare', Words> = {
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
}

/** The codes of these warnings. */
export const EXPIRED_CODES: ReadonlySet<string> = new Set<ProblemCode>(
  Object.values(WORDS).map(({ code }) => code),
)
