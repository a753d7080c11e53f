import type { AuthorityFacts } from '../../src/workers/parse/authorities.js'

/** Facts of a typical CA. */
export function authorityFactsOf(some: Partial<AuthorityFacts>): AuthorityFacts {
  return {
    ...{
      digest: '',
      subject: '',
      name: '',
      canonicalName: '',
      issuer: null,
      notBefore: 0,
      notAfter: 0,
      keyId: null,
      serial: '',
    },
    ...{ trustedFor: 'others', remark: null, explicitTrust: false, largeKey: null },
    ...some,
  }
}
