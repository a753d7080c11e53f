import type { LeafOptions } from '../../../support/material/certificates.js'
import type { AcceptedRow, Group, RefusedRow } from '../corpus.js'
import { pairOptions, rightPair } from '../site.js'

const SECOND = 1000
const DAY = 86_400 * SECOND

/** Options of a leaf that expired this long ago, or becomes valid in this time. */
const ended = (agoMs: number): LeafOptions => ({
  notBefore: new Date(Date.now() - agoMs - DAY),
  notAfter: new Date(Date.now() - agoMs),
})
const begins = (inMs: number): LeafOptions => ({ notBefore: new Date(Date.now() + inMs) })

const LONG_GONE = { notBefore: new Date('2019-01-31'), notAfter: new Date('2020-01-31') }
const FAR_OFF = { notBefore: new Date('2100-01-31'), notAfter: new Date('2101-01-31') }

/** The default policy: 30 seconds of skew. */
export const dates: Group = {
  title: 'a certificate that is not valid now',
  options: pairOptions,
  right: rightPair,
  rows: [
    no('it expired long ago', 'CERT_EXPIRED', () => LONG_GONE, true),
    no('it expired five minutes ago', 'CERT_EXPIRED', () => ended(300 * SECOND)),
    no('it becomes valid in the distant future', 'CERT_NOT_YET_VALID', () => FAR_OFF, true),
    no('it becomes valid in five minutes', 'CERT_NOT_YET_VALID', () => begins(300 * SECOND)),
    yes('it expired ten seconds ago, within the clock skew', () => ended(10 * SECOND), [
      'CERT_EXPIRED',
      'EXPIRES_EARLIER',
    ]),
    yes('it becomes valid in fifteen seconds, within the clock skew', () => begins(15 * SECOND), [
      'CERT_NOT_YET_VALID',
    ]),
    yes('it expires earlier than the served one', () => ({ notAfter: new Date('2030-01-31') }), []),
    yes('it expires in the year 2051', () => ({ notAfter: new Date('2051-01-31') }), []),
  ],
}

/** Certificates that are valid now, beside one that expires late. */
export const shorterLife: Group = {
  title: 'a certificate that expires earlier than the served one',
  options: pairOptions,
  right: (site) => site.pair(site.leaf({ notAfter: new Date('2048-01-31') })),
  rows: [
    {
      ...yes('it expires earlier', () => ({ notAfter: new Date('2047-01-31') }), ['EXPIRES_EARLIER']),
      example: 'EXPIRES_EARLIER',
    },
  ],
}

/** The policy that prefers an expired certificate to none. */
export const toleratedDates: Group = {
  title: 'a certificate that is not valid now, which the policy allows',
  options: (site) => ({ ...pairOptions(site), policy: { expired: 'warn', notYetValid: 'warn' } }),
  right: rightPair,
  rows: [
    yes('it expired long ago', () => LONG_GONE, ['CERT_EXPIRED', 'EXPIRES_EARLIER']),
    yes('it becomes valid in the distant future', () => FAR_OFF, ['CERT_NOT_YET_VALID']),
  ],
}

/** Clocks that differ by an hour. */
export const wideSkew: Group = {
  title: 'a certificate whose dates are within the skew of the policy',
  options: (site) => ({ ...pairOptions(site), policy: { clockSkewSeconds: 3600 } }),
  right: rightPair,
  rows: [
    yes('it expired half an hour ago', () => ended(1800 * SECOND), ['CERT_EXPIRED', 'EXPIRES_EARLIER']),
    yes('it becomes valid in half an hour', () => begins(1800 * SECOND), ['CERT_NOT_YET_VALID']),
    no('it expired two hours ago', 'CERT_EXPIRED', () => ended(7200 * SECOND)),
    no('it becomes valid in two hours', 'CERT_NOT_YET_VALID', () => begins(7200 * SECOND)),
  ],
}

function yes(id: string, options: () => LeafOptions, warns: NonNullable<AcceptedRow['warns']>): AcceptedRow {
  return { id, accepted: (site) => site.pair(site.leaf(options())), warns }
}

function no(
  id: string,
  refused: 'CERT_EXPIRED' | 'CERT_NOT_YET_VALID',
  options: () => LeafOptions,
  example = false,
): RefusedRow {
  return {
    id,
    spoil(site) {
      site.pair(site.leaf(options()))
    },
    refused,
    at: 'tls.crt',
    forcible: true,
    ...(example ? { example: refused } : {}),
  }
}
