import { constants, generatePrimeSync, getDiffieHellman, randomBytes } from 'node:crypto'

import type { ContextOptions } from '../../../src/main/index.js'
import type { LeafOptions } from '../../../support/material/certificates.js'
import { integer, pem, sequence } from '../../../support/material/der.js'
import type { Group, RefusedRow } from '../corpus.js'
import { pairOptions, rightPair, type Site } from '../site.js'

/** At its default level, a newer OpenSSL refuses short primes by itself. */
const ANY_STRENGTH = { ciphers: 'DEFAULT@SECLEVEL=0' }

const RSA: LeafOptions = { keyType: 'rsa-2048' }

/** Diffie-Hellman parameters of 2,048 bits. */
const SAFE = parameters(getDiffieHellman('modp14').getPrime())
/** A prime, but not a safe one. */
const UNSAFE = generatePrimeSync(2048)
const LONG = Buffer.alloc(1025, 0xff).fill(0x01, 0, 1)
const SHORT = parameters(getDiffieHellman('modp2').getPrime())

export const dhparam: Group = {
  title: 'a file of Diffie-Hellman parameters',
  options: (site) => ({ ...pairOptions(site), dhparam: site.path('dh.pem'), tls: ANY_STRENGTH }),
  right: (site) => withParameters(site, SAFE),
  rows: [
    {
      id: 'text before them',
      accepted: (site) => withParameters(site, `DH Parameters: (2048 bit)\n${SAFE}`),
    },
    noParameters('nothing', 'DHPARAM_INVALID', '', { message: /dh\.pem is empty: / }),
    noParameters('blanks', 'DHPARAM_INVALID', ' \n', { message: /dh\.pem holds only white space: / }),
    noParameters('a key', 'DHPARAM_INVALID', (site) => site.leaf().keyPem),
    noParameters('base64 without a meaning', 'DHPARAM_INVALID', pem('DH PARAMETERS', randomBytes(200))),
    noParameters('a prime of 512 bits', 'DHPARAM_INVALID', parameters(generatePrimeSync(512)), {
      example: 'DHPARAM_INVALID',
    }),
    noParameters('a modulus that is not a safe prime', 'DHPARAM_INVALID', parameters(UNSAFE)),
    noParameters('a modulus of 8,193 bits', 'DHPARAM_INVALID', parameters(LONG)),
    noParameters('a prime of 1,024 bits', 'KEY_TOO_WEAK', SHORT, { forcible: true }),
    noParameters('the first half', 'PEM_INVALID', SAFE.slice(0, 150)),
    noParameters('DER', 'PEM_INVALID', Buffer.from(SAFE.replaceAll(/-----.*-----/g, ''), 'base64')),
  ],
}

/** The same with a policy that only warns. */
export const toleratedDhparam: Group = {
  title: 'short Diffie-Hellman parameters that the policy allows',
  options: (site) => ({
    ...pairOptions(site),
    dhparam: site.path('dh.pem'),
    tls: ANY_STRENGTH,
    policy: { weakKey: 'warn' },
  }),
  right: (site) => withParameters(site, SAFE),
  rows: [
    {
      id: 'a prime of 1,024 bits',
      accepted: (site) => withParameters(site, SHORT),
      warns: ['KEY_TOO_WEAK'],
      at: 'dh.pem',
    },
  ],
}

/** Options under which not every key can serve, which only a rehearsal shows. */
export const rsaOnly: readonly Group[] = [
  onlyRsa(
    'TLS 1.2 suites for RSA keys only',
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' },
    true,
  ),
  onlyRsa('signatures by RSA keys only', { sigalgs: 'rsa_pss_rsae_sha256' }),
]

/** Unusual options under which a valid certificate must still be served. */
export const unusualOptions: readonly Group[] = [
  unusual('TLS 1.2 suites only', { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }),
  unusual('TLS 1.3 suites only', { ciphers: 'TLS_AES_128_GCM_SHA256' }),
  unusual('only TLS 1.3', { minVersion: 'TLSv1.3' }),
  unusual('only TLS 1.2', { maxVersion: 'TLSv1.2' }),
  unusual('TLS 1.3 turned off by a flag', { secureOptions: constants.SSL_OP_NO_TLSv1_3 }),
  unusual('TLS 1.2 turned off by a flag', { secureOptions: constants.SSL_OP_NO_TLSv1_2 }),
  unusual('only one curve', { ecdhCurve: 'P-384' }),
]

/** A pair for clients that support ECDSA, and one for those that do not. */
export const twoPairs: Group = {
  title: 'an RSA and an ECDSA pair',
  options: (site) => ({
    cert: [site.path('rsa.crt'), site.path('ec.crt')],
    key: [site.path('rsa.key'), site.path('ec.key')],
    policy: { pairGraceSeconds: 0 },
  }),
  right: writeTwo,
  client: () => ({ sigalgs: 'ecdsa_secp256r1_sha256' }),
  rows: [
    {
      id: 'their keys are swapped, and both are named',
      spoil(site) {
        const { rsa, ec } = { rsa: site.leaf(RSA), ec: site.leaf() }
        site.write('rsa.crt', rsa.chainPem)
        site.write('rsa.key', ec.keyPem)
        site.write('ec.crt', ec.chainPem)
        site.write('ec.key', rsa.keyPem)
      },
      refused: ['CERT_KEY_MISMATCH', 'CERT_KEY_MISMATCH'],
      at: 'rsa.crt',
    },
    {
      id: 'one pair is new and one half new',
      spoil(site) {
        writeTwo(site)
        site.write('ec.crt', site.leaf().chainPem)
      },
      refused: 'CERT_KEY_MISMATCH',
      at: 'ec.crt',
    },
    {
      id: 'one key is missing and the other certificate truncated',
      spoil(site, served) {
        site.remove('ec.key')
        site.write('rsa.crt', served.certPem.slice(0, 300))
      },
      refused: 'FILE_NOT_FOUND',
      at: 'ec.key',
    },
    {
      id: 'one is truncated and the other expired, and the first is reported first',
      spoil(site, served) {
        site.write('rsa.crt', served.certPem.slice(0, 300))
        const gone = site.leaf({ notBefore: new Date('2019-01-31'), notAfter: new Date('2020-01-31') })
        site.write('ec.crt', gone.chainPem)
        site.write('ec.key', gone.keyPem)
      },
      refused: 'PEM_INVALID',
      at: 'rsa.crt',
    },
    { id: 'both are new', accepted: writeTwo },
  ],
}

/** A secret that several processes share. */
export const ticketSecret: Group = {
  title: 'a file with the session ticket secret',
  options: (site) => ({ ...pairOptions(site), tickets: { secretFile: site.path('tickets') } }),
  right(site) {
    site.write('tickets', randomBytes(48))
    return rightPair(site)
  },
  rows: [
    {
      id: 'too short for a secret',
      spoil: (site) => site.write('tickets', Buffer.alloc(31, 'secret')),
      refused: 'TICKET_SECRET_INVALID',
      at: 'tickets',
      example: 'TICKET_SECRET_INVALID',
    },
    {
      id: 'nothing',
      spoil: (site) => site.write('tickets', ''),
      refused: 'TICKET_SECRET_INVALID',
      at: 'tickets',
      message: /tickets is empty: .*; write it with: openssl rand/,
    },
    {
      id: 'zeros, as after a crash: the secret would be known',
      spoil: (site) => site.write('tickets', Buffer.alloc(48)),
      refused: 'TICKET_SECRET_INVALID',
      at: 'tickets',
      message: /tickets holds only NUL bytes: /,
    },
    {
      id: 'the file is gone',
      spoil: (site) => site.remove('tickets'),
      refused: 'FILE_NOT_FOUND',
      at: 'tickets',
    },
  ],
}

function parameters(prime: ArrayBuffer | Buffer): string {
  const digits = Buffer.from(prime as ArrayBuffer).toString('hex')
  return pem('DH PARAMETERS', sequence(integer(BigInt(`0x${digits}`)), integer(2)))
}

function withParameters(site: Site, content: string) {
  site.write('dh.pem', content)
  return rightPair(site)
}

function noParameters(
  id: string,
  refused: RefusedRow['refused'],
  content: string | Buffer | ((site: Site) => string),
  more: Partial<RefusedRow> = {},
): RefusedRow {
  return {
    id,
    spoil: (site) => site.write('dh.pem', typeof content === 'function' ? content(site) : content),
    refused,
    at: 'dh.pem',
    ...more,
  }
}

function onlyRsa(title: string, tls: ContextOptions, documented = false): Group {
  return {
    title: `options that allow ${title}`,
    options: (site) => ({ ...pairOptions(site), tls }),
    right: (site) => site.pair(site.leaf(RSA)),
    rows: [
      {
        id: 'a certificate with an EC key',
        spoil(site) {
          rightPair(site)
        },
        refused: 'REHEARSAL_FAILED',
        at: 'tls.crt',
        ...(documented ? { example: 'REHEARSAL_FAILED' } : {}),
      },
    ],
  }
}

function unusual(title: string, tls: ContextOptions): Group {
  return {
    title: `options that allow ${title}`,
    options: (site) => ({ ...pairOptions(site), tls }),
    right: rightPair,
    rows: [{ id: 'a certificate with an EC key', accepted: rightPair }],
  }
}

function writeTwo(site: Site) {
  const rsa = site.leaf(RSA)
  const ec = site.leaf()
  site.write('rsa.crt', rsa.chainPem)
  site.write('rsa.key', rsa.keyPem)
  site.write('ec.crt', ec.chainPem)
  site.write('ec.key', ec.keyPem)
  return ec
}
