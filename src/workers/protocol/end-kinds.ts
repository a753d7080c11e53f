import type { ProblemCode } from '../base/problem.js'

/** The words about one kind of dated material, in warnings and log lines. */
interface EndWords {
  /** Names one of them, before its subject or issuer. */
  readonly one: string
  readonly many: string
  /** The warning after its end, and what the end causes. */
  readonly expired: { readonly code: ProblemCode; readonly effect: string }
  /** The warning before its start, and what that causes. */
  readonly early: { readonly code: ProblemCode; readonly effect: string }
}

interface EndKindRow extends EndWords {
  /** The log lines before its end, and at its end. */
  readonly log: { readonly soon: string; readonly ended: string }
  /** Whether clients and servers can do without it: then its end does not make the next check urgent. */
  readonly optional: boolean
}

/** The one table of the kinds of material that end: what is watched, warned about, logged and shown by kind. */
export const END_KINDS: Readonly<Record<EndKind, EndKindRow>> = {
  leaf: {
    one: 'served certificate',
    many: 'served certificates',
    expired: { code: 'CERT_EXPIRED', effect: '; clients refuse it' },
    early: {
      code: 'CERT_NOT_YET_VALID',
      effect: '; clients refuse it until then, unless the clock of this machine is wrong',
    },
    log: {
      soon: 'the served certificate expires soon',
      ended: 'the served certificate has expired; clients refuse it',
    },
    optional: false,
  },
  chain: {
    one: 'served chain certificate',
    many: 'served chain certificates',
    expired: { code: 'CERT_EXPIRED', effect: '; clients refuse the chain' },
    early: {
      code: 'CERT_NOT_YET_VALID',
      effect: '; clients refuse the chain until then, unless the clock of this machine is wrong',
    },
    log: {
      soon: 'a certificate of the served chain expires soon',
      ended: 'a certificate of the served chain has expired; clients refuse the chain',
    },
    optional: false,
  },
  ca: {
    one: 'trust anchor',
    many: 'trust anchors',
    expired: { code: 'CA_EXPIRED', effect: '' },
    early: { code: 'CERT_NOT_YET_VALID', effect: '; peers below it are refused until then' },
    log: {
      soon: 'a trust anchor expires soon',
      ended: 'a trust anchor has expired; peers with its certificates are refused',
    },
    optional: true,
  },
  crl: {
    one: 'revocation list of',
    many: 'revocation lists',
    expired: { code: 'CRL_EXPIRED', effect: '; every client of its CA is refused' },
    early: { code: 'CRL_NOT_YET_VALID', effect: '; every client of its CA is refused until then' },
    log: {
      soon: 'a revocation list expires soon',
      ended: 'a revocation list has expired; peers of its CA are refused',
    },
    optional: false,
  },
  ocsp: {
    one: 'OCSP response for',
    many: 'OCSP responses',
    expired: { code: 'OCSP_EXPIRED', effect: '; it is not stapled any more' },
    early: {
      code: 'OCSP_NOT_YET_VALID',
      effect: '; it is not stapled until then, unless the clock of this machine is wrong',
    },
    log: {
      soon: 'the OCSP response of a served certificate expires soon',
      ended: 'the OCSP response of a served certificate has expired; it is not stapled any more',
    },
    optional: true,
  },
}

/** A certificate of the chain that no client needs. Its end does no harm, so that it is a warning alone. */
const SPARE: EndWords = {
  one: END_KINDS.chain.one,
  many: END_KINDS.chain.many,
  expired: {
    code: 'CERT_EXPIRED',
    effect: '; clients that trust its root do not need it: leave it out of the file, or renew it',
  },
  early: {
    code: 'CERT_NOT_YET_VALID',
    effect: '; clients that trust its root do not need it: leave it out of the file',
  },
}

/** Which part of the material ends: the leaf, a certificate of its chain, a trust anchor, a revocation list, or an OCSP response. */
export type EndKind = 'leaf' | 'chain' | 'ca' | 'crl' | 'ocsp'

/** A kind of end; `spare` is a certificate of the chain that no client needs. */
export type WatchedKind = EndKind | 'spare'

export function endWords(kind: WatchedKind): EndWords {
  return kind === 'spare' ? SPARE : END_KINDS[kind]
}

/** A value for each kind of end. */
export function forEachEnd<T>(valueFor: (kind: EndKind) => T): Readonly<Record<EndKind, T>> {
  const kinds = Object.keys(END_KINDS) as EndKind[]
  return Object.fromEntries(kinds.map((kind) => [kind, valueFor(kind)])) as Record<EndKind, T>
}

/** The codes of the warnings in this state. */
export function endCodes(state: 'expired' | 'early'): readonly ProblemCode[] {
  return [...Object.values(END_KINDS), SPARE].map((row) => row[state].code)
}
