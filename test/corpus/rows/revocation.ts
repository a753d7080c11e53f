import { randomBytes } from 'node:crypto'

import { createAuthority } from '../../../support/material/certificates.js'
import { integer, pem, primitive, sequence } from '../../../support/material/der.js'
import { authorityKeyId, extension } from '../../../support/material/extensions.js'
import { cutAt, derOf } from '../../../support/material/pem-text.js'
import type { AcceptedRow, Group, RefusedRow } from '../corpus.js'
import { pairOptions, rightPair, root, type Site } from '../site.js'

const visitor = root.issue({ names: ['visitor'] })
const revoked = root.issue({ names: ['revoked'] })
const OVERDUE = { thisUpdate: new Date('2019-01-31'), nextUpdate: new Date('2020-01-31') }
/** 27 bytes each. */
const MANY = Array.from({ length: 20_000 }, (_, i) => (0x0100_0000_0000_0000n + BigInt(i)).toString(16))
const FAR_OFF = { thisUpdate: new Date('2100-01-31'), nextUpdate: new Date('2101-01-31') }

const USERS_ALONE = extension('2.5.29.28', sequence(primitive(1, Buffer.from([0xff]))), true)

/** Revocation lists on a server that requires client certificates. */
export const revocation: Group = {
  title: 'a file of revocation lists',
  options: (site) => ({
    ...pairOptions(site),
    ca: site.path('ca.crt'),
    crl: site.path('ca.crl'),
    requestCert: true,
  }),
  right: (site) => write(site, root.crl()),
  client: () => ({ cert: visitor.chainPem, key: visitor.keyPem }),
  rows: [
    yes('a certificate is revoked', () => root.crl({ revoked: [revoked.serial] })),
    yes('an overdue list beside a current one', () => root.crl(OVERDUE) + root.crl()),
    yes(
      'a list of a CA that is not an anchor',
      () => root.crl() + createAuthority({ name: 'Corpus Elsewhere' }).crl(),
    ),
    yes('lines that end in CRLF', () => root.crl().replaceAll('\n', '\r\n')),
    {
      id: 'no list for one of two CAs',
      accepted(site) {
        site.write('ca.crt', root.certPem + createAuthority({ name: 'Corpus Listless' }).certPem)
        return rightPair(site)
      },
      warns: ['CRL_MISSING'],
      at: null,
      example: 'CRL_MISSING',
    },
    no('the file is gone', 'FILE_NOT_FOUND', (site) => site.remove('ca.crl')),
    { ...no('nothing', 'CRL_INVALID', (site) => site.write('ca.crl', '')), message: /ca\.crl is empty: / },
    {
      ...no('zeros', 'CRL_INVALID', (site) => site.write('ca.crl', Buffer.alloc(500))),
      message: /ca\.crl holds only NUL bytes: /,
    },
    no('a certificate', 'CRL_INVALID', (site) => site.write('ca.crl', root.certPem), 'CRL_INVALID'),
    no('base64 that is not a list', 'CRL_INVALID', (site) =>
      site.write('ca.crl', pem('X509 CRL', randomBytes(200))),
    ),
    no('a list whose DER is truncated', 'CRL_INVALID', (site) =>
      site.write('ca.crl', pem('X509 CRL', derOf(root.crl()).subarray(0, -20))),
    ),
    no('a list that another key has signed', 'CRL_INVALID', (site) =>
      site.write('ca.crl', createAuthority({ name: root.name }).crl()),
    ),
    no(
      'a list over the limit',
      'CRL_TOO_LARGE',
      (site) => site.write('ca.crl', root.crl({ revoked: MANY })),
      'CRL_TOO_LARGE',
    ),
    no(
      'a delta list',
      'CRL_UNUSABLE',
      (site) => site.write('ca.crl', root.crl({ extensions: [extension('2.5.29.27', integer(1), true)] })),
      'CRL_UNUSABLE',
    ),
    no('a list with an unknown critical extension', 'CRL_UNUSABLE', (site) =>
      site.write('ca.crl', root.crl({ extensions: [extension('1.2.3.4', integer(1), true)] })),
    ),
    no('a list for user certificates only', 'CRL_UNUSABLE', (site) =>
      site.write('ca.crl', root.crl({ extensions: [USERS_ALONE] })),
    ),
    no('a list that names another key', 'CRL_INVALID', (site) =>
      site.write('ca.crl', root.crl({ keyId: authorityKeyId(Buffer.alloc(20)) })),
    ),
    {
      ...no('only lists of other CAs', 'CRL_MISSING', (site) =>
        site.write('ca.crl', createAuthority({ name: 'Corpus Elsewhere' }).crl()),
      ),
      at: 'ca.crt',
    },
    no('DER', 'PEM_INVALID', (site) => site.write('ca.crl', derOf(root.crl()))),
    no('the first half', 'PEM_INVALID', (site) => site.write('ca.crl', cutAt(root.crl(), 0.5))),
    {
      ...no(
        'an overdue list',
        'CRL_EXPIRED',
        (site) => site.write('ca.crl', root.crl(OVERDUE)),
        'CRL_EXPIRED',
      ),
      forcible: true,
    },
    {
      ...no(
        'a list that becomes valid in the distant future',
        'CRL_NOT_YET_VALID',
        (site) => site.write('ca.crl', root.crl(FAR_OFF)),
        'CRL_NOT_YET_VALID',
      ),
      forcible: true,
    },
  ],
}

function write(site: Site, list: string) {
  site.write('ca.crt', root.certPem)
  site.write('ca.crl', list)
  return rightPair(site)
}

function yes(id: string, list: () => string): AcceptedRow {
  return { id, accepted: (site) => write(site, list()) }
}

function no(
  id: string,
  refused: RefusedRow['refused'],
  spoil: (site: Site) => void,
  example?: RefusedRow['example'],
): RefusedRow {
  return { id, spoil, refused, at: 'ca.crl', ...(example ? { example } : {}) }
}
