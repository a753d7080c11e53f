import type { Leaf, LeafOptions } from '../../../support/material/certificates.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import {
  delegatedResponder,
  mustStapleExtension,
  type OcspOptions,
  ocspResponse,
} from '../../../support/material/ocsp-response.js'
import type { AcceptedRow, Group, RefusedRow } from '../corpus.js'
import { intermediate, pairOptions, root, type Site } from '../site.js'

const PAST = { thisUpdate: new Date('2020-01-01'), nextUpdate: new Date('2020-01-31') }
const FUTURE = { thisUpdate: new Date('2100-01-31'), nextUpdate: new Date('2100-02-28') }
const SINCE_2020 = { thisUpdate: new Date('2020-01-31'), nextUpdate: new Date('2100-01-31') }
const namesake = createAuthority({ name: intermediate.name, parent: root })

type Content = (leaf: Leaf) => Uint8Array

/**
 * Files of OCSP responses as they occur in practice, with the default policy: the certificate is served without the response.
 */
export const leftOut: Group = {
  title: 'an OCSP response that does not fit is not stapled',
  options: (site) => ({ ...pairOptions(site), ocsp: site.path('ocsp.der') }),
  right: (site) => withResponse(site, (leaf) => ocspResponse(leaf, intermediate)),
  rows: [
    left('nothing', 'OCSP_INVALID', () => Buffer.alloc(0)),
    left('PEM', 'OCSP_INVALID', (leaf) =>
      Buffer.from(pem('OCSP RESPONSE', ocspResponse(leaf, intermediate))),
    ),
    left('base64', 'OCSP_INVALID', (leaf) =>
      Buffer.from(ocspResponse(leaf, intermediate).toString('base64')),
    ),
    left('a certificate', 'OCSP_INVALID', ({ certDer }) => certDer),
    left('the first half', 'OCSP_INVALID', (leaf) => ocspResponse(leaf, intermediate).subarray(0, 200)),
    left('a byte after its end', 'OCSP_INVALID', (leaf) =>
      Buffer.concat([ocspResponse(leaf, intermediate), Buffer.of(10)]),
    ),
    left('the refusal of a responder', 'OCSP_INVALID', answer({ refusal: 6 }), { example: 'OCSP_INVALID' }),
    left('66,000 bytes', 'OCSP_INVALID', answer({ extensions: [Buffer.alloc(66_000)] })),
    left('2 MiB', 'FILE_TOO_LARGE', () => Buffer.alloc(2 ** 21, 1)),
    left('an unknown status', 'OCSP_INVALID', answer({ status: 'unknown' })),
    left('another signer in the name of the issuer', 'OCSP_INVALID', answer({ responder: namesake })),
    left(
      'a responder without the required purpose',
      'OCSP_INVALID',
      answer({ responder: delegatedResponder(intermediate, { purposes: ['1.3.6.1.5.5.7.3.1'] }) }),
    ),
    left(
      'a response for the previous certificate',
      'OCSP_MISMATCH',
      () => ocspResponse({ serial: '77' }, intermediate),
      {
        example: 'OCSP_MISMATCH',
      },
    ),
    left('a response from a CA with the same name', 'OCSP_MISMATCH', (leaf) => ocspResponse(leaf, namesake)),
    left('a response that has expired', 'OCSP_EXPIRED', answer(PAST)),
    left('a response that becomes valid tomorrow', 'OCSP_NOT_YET_VALID', answer(FUTURE)),
    left('a response without an expiry', 'OCSP_UNDATED', answer({ nextUpdate: null }), {
      example: 'OCSP_UNDATED',
    }),
    {
      id: 'no file',
      warns: ['FILE_NOT_FOUND'],
      at: 'ocsp.der',
      accepted(site) {
        const leaf = site.pair(site.leaf())
        site.remove('ocsp.der')
        return leaf
      },
    },
    {
      id: 'a certificate that requires a response, with an expired one',
      warns: ['OCSP_EXPIRED', 'OCSP_MISSING'],
      accepted: (site) => withResponse(site, answer(PAST), { extensions: [mustStapleExtension()] }),
    },
    {
      id: 'a response with the status revoked',
      refused: 'OCSP_REVOKED',
      at: 'ocsp.der',
      forcible: true,
      example: 'OCSP_REVOKED',
      spoil: (site) => void withResponse(site, answer({ ...SINCE_2020, status: 'revoked' })),
    },
  ],
}

/** The same with a policy that refuses it. */
export const refused: Group = {
  title: 'an OCSP response that does not fit is refused if the policy requires it',
  options: (site) => ({
    ...pairOptions(site),
    ocsp: site.path('ocsp.der'),
    policy: { pairGraceSeconds: 0, badOcsp: 'reject' },
  }),
  right: (site) => withResponse(site, (leaf) => ocspResponse(leaf, intermediate)),
  rows: [
    kept('a response for the previous certificate', 'OCSP_MISMATCH', () =>
      ocspResponse({ serial: '77' }, intermediate),
    ),
    kept('a response that has expired', 'OCSP_EXPIRED', answer(PAST), 'OCSP_EXPIRED'),
    kept(
      'a response that becomes valid tomorrow',
      'OCSP_NOT_YET_VALID',
      answer(FUTURE),
      'OCSP_NOT_YET_VALID',
    ),
    kept('a key', 'OCSP_INVALID', ({ keyPem }) => Buffer.from(keyPem)),
  ],
}

/** A certificate that requires a response ("must-staple"), without the option. */
export const promised: Group = {
  title: 'a certificate that requires an OCSP response is served without one, with a warning',
  options: pairOptions,
  right: (site) => site.pair(site.leaf()),
  rows: [
    {
      id: 'must-staple',
      warns: ['OCSP_MISSING'],
      at: 'tls.crt',
      example: 'OCSP_MISSING',
      accepted: (site) => site.pair(site.leaf({ extensions: [mustStapleExtension()] })),
    },
  ],
}

function answer(options: OcspOptions): Content {
  return (leaf) => ocspResponse(leaf, intermediate, options)
}

function left(
  id: string,
  code: NonNullable<AcceptedRow['warns']>[number],
  content: Content,
  more: Partial<AcceptedRow> = {},
): AcceptedRow {
  return {
    ...{ id, warns: [code], at: 'ocsp.der', ...more },
    accepted: (site) => withResponse(site, content, { serial: '1A2B3C' }),
  }
}

function kept(
  id: string,
  code: NonNullable<AcceptedRow['warns']>[number],
  content: Content,
  example?: RefusedRow['example'],
): RefusedRow {
  return {
    ...{ id, refused: code, at: 'ocsp.der', forcible: true, ...(example ? { example } : {}) },
    spoil: (site) => void withResponse(site, content),
  }
}

function withResponse(site: Site, content: Content, options: LeafOptions = {}): Leaf {
  const leaf = site.pair(site.leaf(options))
  site.write('ocsp.der', content(leaf))
  return leaf
}
