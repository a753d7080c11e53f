import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'

import { damagedSettings, obsoleteRoot } from '../../../support/cases/broken-anchors.js'
import type { HandshakeOptions } from '../../../support/clients/tls-client.js'
import {
  type Authority,
  createAuthority,
  manyAuthorities,
  selfSigned,
} from '../../../support/material/certificates.js'
import { octets, pem } from '../../../support/material/der.js'
import { basicConstraints, extension } from '../../../support/material/extensions.js'
import { csr } from '../../../support/material/key-forms.js'
import { keyPair } from '../../../support/material/keys.js'
import { largeKey } from '../../../support/material/large-key.js'
import { oddCertificate } from '../../../support/material/odd-certificate.js'
import { cutAt, patched } from '../../../support/material/pem-text.js'
import type { AcceptedRow, Group, RefusedRow } from '../corpus.js'
import { pairOptions, rightPair, root, type Site } from '../site.js'

const BUNDLE = [root, ...manyAuthorities(6)].map(({ certPem }) => certPem).join('')
const CROWD = manyAuthorities(800, { name: `Corpus ${'Very '.repeat(10)}Long Name` })
const ENDED = createAuthority({
  name: 'Corpus Ended Root',
  notBefore: new Date('2010-01-31'),
  notAfter: new Date('2020-01-31'),
})
const LARGE = pem(
  'CERTIFICATE',
  oddCertificate({ key: largeKey(), subject: 'Corpus Large Root', extensions: [basicConstraints(true)] }),
)
const lonely = createAuthority().issueAuthority({ name: 'Corpus Lonely Intermediate' })
const visitor = root.issue({ names: ['visitor'] })

/** A client that the root admits. */
const client = (): Partial<HandshakeOptions> => ({ cert: visitor.chainPem, key: visitor.keyPem })

const mutual = (site: Site) => ({ ...pairOptions(site), requestCert: true })

/** A bundle of trust anchors. */
export const trustBundle: Group = {
  title: 'a file of trust anchors, where client certificates are required',
  options: (site) => ({ ...mutual(site), ca: site.path('ca.crt'), worker: { maxFileBytes: 64 * 1024 } }),
  right: (site) => withBundle(site, BUNDLE),
  client,
  rows: [
    yes('only one anchor', root.certPem),
    yes(
      'lines that end in CRLF, a byte order mark and text',
      `\ufeff# roots\r\n${BUNDLE.replaceAll('\n', '\r\n')}`,
    ),
    yes('every anchor twice', BUNDLE + BUNDLE),
    yes('an anchor that has expired', BUNDLE + ENDED.certPem, ['CA_EXPIRED'], 'CA_EXPIRED'),
    yes('a self-signed certificate that is not a CA', BUNDLE + selfSigned().certPem, ['CA_INVALID']),
    yes('an intermediate without its root, beside roots', BUNDLE + lonely.certPem, ['CA_INVALID']),
    yes('144 anchors', root.certPem + bundleOf(manyAuthorities(143, { name: 'Corpus Public' }))),
    no('the file is gone', 'FILE_NOT_FOUND', (site) => site.remove('ca.crt')),
    no('nothing', 'CA_EMPTY', (site) => site.write('ca.crt', ''), 'CA_EMPTY'),
    {
      ...no('blank lines', 'CA_EMPTY', (site) => site.write('ca.crt', '\n \n')),
      message: /ca\.crt holds only white space: /,
    },
    {
      ...no('zeros', 'CA_EMPTY', (site) => site.write('ca.crt', Buffer.alloc(2000))),
      message: /ca\.crt holds only NUL bytes: /,
    },
    no('text without a certificate', 'CA_INVALID', (site) => site.write('ca.crt', '# no roots yet\n')),
    no('a private key', 'CA_INVALID', (site) => site.write('ca.crt', site.leaf().keyPem), 'CA_INVALID'),
    no('a certificate request', 'CA_INVALID', (site) => site.write('ca.crt', csr(site.leaf()))),
    no('a revocation list', 'CA_INVALID', (site) => site.write('ca.crt', root.crl())),
    {
      ...yes('a server certificate among the anchors', BUNDLE + visitor.certPem, ['CA_INVALID']),
      listed: true,
    },
    yes('a root of version 1 that is signed with MD2', BUNDLE + obsoleteRoot().certPem, ['CA_INVALID']),
    {
      ...yes('a root on a curve without a NIST name', BUNDLE + oddRoot().certPem, ['KEY_UNSUPPORTED']),
      listed: true,
    },
    {
      ...yes('a root with a duplicate extension', BUNDLE + twiceConstrained(), ['CA_INVALID']),
      listed: true,
    },
    yes('a root whose names are malformed', BUNDLE + oddly('2.5.29.17'), ['CA_INVALID']),
    yes('a root whose name constraints are malformed', BUNDLE + oddly('2.5.29.30'), ['CA_INVALID']),
    yes('a root whose extended key usage is malformed', BUNDLE + oddly('2.5.29.37'), ['CA_INVALID']),
    no('only server certificates', ['CA_INVALID', 'CA_INVALID'], (site) =>
      site.write('ca.crt', site.leaf().certPem + visitor.certPem),
    ),
    {
      ...no('trust settings that are damaged, among the anchors', 'CA_INVALID', (site) =>
        site.write('ca.crt', BUNDLE + damagedSettings(root)),
      ),
      forcible: true,
    },
    no('DER', 'PEM_INVALID', (site) => site.write('ca.crt', root.certDer)),
    no('UTF-16', 'PEM_INVALID', (site) => site.write('ca.crt', Buffer.from(`\ufeff${BUNDLE}`, 'utf16le'))),
    no('a character in the middle that is not base64', 'PEM_INVALID', (site) =>
      site.write(
        'ca.crt',
        BUNDLE.replace(/\n(?=.{64}\n)/g, (end, at: number) => (at > BUNDLE.length / 2 ? '\n*' : end)),
      ),
    ),
    no('a damaged anchor in the middle', 'PEM_INVALID', (site) =>
      site.write('ca.crt', root.certPem + pem('CERTIFICATE', root.certDer.subarray(0, 150)) + BUNDLE),
    ),
    no('an anchor with a flipped byte in its structure', 'PEM_INVALID', (site) =>
      site.write(
        'ca.crt',
        root.certPem +
          patched(root.certPem, Buffer.from([0xa0, 3, 2, 1, 2]), Buffer.from([0xa0, 4, 2, 1, 2])),
      ),
    ),
    ...[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9].map((share) =>
      no(`the first ${share * 100} % of the bundle`, 'PEM_INVALID', (site) =>
        site.write('ca.crt', cutAt(BUNDLE, share)),
      ),
    ),
    no('a bundle over the limit, which is 16 times that of a certificate', 'FILE_TOO_LARGE', (site) =>
      site.write('ca.crt', BUNDLE.padEnd(1024 * 1024 + 1, '\n')),
    ),
    no('trust settings that are damaged', 'CA_INVALID', (site) =>
      site.write('ca.crt', damagedSettings(root)),
    ),
    {
      ...no(
        'an anchor with a key of 8,704 bits',
        'KEY_TOO_LARGE',
        (site) => site.write('ca.crt', BUNDLE + LARGE),
        'KEY_TOO_LARGE',
      ),
      forcible: true,
    },
    {
      ...no('more names than a handshake can carry', 'CA_NAMES_TOO_LONG', (site) =>
        site.write('ca.crt', bundleOf(CROWD)),
      ),
      at: null,
      example: 'CA_NAMES_TOO_LONG',
    },
  ],
}

/** Anchors whose names are not sent to clients. */
export const unaskedTrust: Group = {
  title: 'a file of trust anchors, where no client certificates are requested',
  options: (site) => ({ ...pairOptions(site), ca: site.path('ca.crt') }),
  right: (site) => withBundle(site, BUNDLE),
  rows: [
    yes('an intermediate without its root', lonely.certPem, ['CA_INVALID']),
    yes('more names than a handshake could carry, which is not needed', bundleOf(CROWD)),
    no('the first half of the bundle', 'PEM_INVALID', (site) => site.write('ca.crt', cutAt(BUNDLE, 0.5))),
  ],
}

/** A directory of trust anchors. */
export const trustDirectory: Group = {
  title: 'a directory of trust anchors',
  options: (site) => ({ ...mutual(site), caDir: site.path('anchors') }),
  right: withDirectory,
  client,
  rows: [
    inDirectory('another anchor', (site) => site.write('anchors/b.crt', ENDED.certPem), ['CA_EXPIRED']),
    inDirectory('temporary files of editors and packages', (site) => {
      for (const name of [
        'a.crt~',
        'a.crt.bak',
        'a.crt.tmp',
        '.a.crt.swp',
        'a.crt.rpmsave',
        'a.crt.dpkg-old',
      ]) {
        site.write(`anchors/${name}`, 'half of some')
      }
    }),
    inDirectory('a directory in it', (site) => site.makeDirectory('anchors/old')),
    inDirectory('a link to an anchor elsewhere', (site) => {
      site.write('elsewhere.crt', root.certPem)
      site.link('anchors/a.crt', '../elsewhere.crt')
    }),
    noDirectory('the directory is gone', 'FILE_NOT_FOUND', (site) => site.remove('anchors'), 'anchors'),
    noDirectory(
      'a file in its place',
      'FILE_NOT_REGULAR',
      (site) => site.write('anchors', BUNDLE),
      'anchors',
    ),
    noDirectory(
      'a link to itself in its place',
      'FILE_UNREADABLE',
      (site) => site.link('anchors', 'anchors'),
      'anchors',
    ),
    noDirectory('the directory is empty', 'CA_EMPTY', (site) => site.makeDirectory('anchors'), 'anchors'),
    noDirectory(
      'only hidden files are in it',
      'CA_EMPTY',
      (site) => {
        site.makeDirectory('anchors')
        site.write('anchors/.a.crt', root.certPem)
      },
      'anchors',
    ),
    noDirectory(
      'a dangling link',
      'FILE_NOT_FOUND',
      (site) => site.link('anchors/b.crt', 'nowhere'),
      'anchors/b.crt',
    ),
    noDirectory(
      'a private key',
      'CA_INVALID',
      (site) => site.write('anchors/b.key', site.leaf().keyPem),
      'anchors/b.key',
    ),
    noDirectory('an empty file', 'CA_EMPTY', (site) => site.write('anchors/b.crt', ''), 'anchors/b.crt'),
    noDirectory(
      'half of an anchor',
      'PEM_INVALID',
      (site) => site.write('anchors/b.crt', cutAt(root.certPem, 0.5)),
      'anchors/b.crt',
    ),
    noDirectory(
      'a FIFO',
      'FILE_NOT_REGULAR',
      (site) => {
        execFileSync('mkfifo', [site.path('anchors/b.crt')])
      },
      'anchors/b.crt',
    ),
  ],
}

/** A pattern of files, beside other files. */
export const trustPattern: Group = {
  title: 'a pattern of files of trust anchors',
  options: (site) => ({ ...mutual(site), caDir: site.path('anchors/*.crt') }),
  right: withDirectory,
  client,
  rows: [
    inDirectory('a private key that the pattern does not match', (site) =>
      site.write('anchors/b.key', site.leaf().keyPem),
    ),
    noDirectory('no file matches', 'CA_EMPTY', (site) => site.remove('anchors/a.crt'), 'anchors/*.crt'),
    noDirectory(
      'half of an anchor',
      'PEM_INVALID',
      (site) => site.write('anchors/b.crt', cutAt(root.certPem, 0.5)),
      'anchors/b.crt',
    ),
  ],
}

function oddRoot(): Authority {
  return createAuthority({ key: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }) })
}

/** OpenSSL adds it to its store, and refuses every chain that contains it. */
function twiceConstrained(): string {
  const extensions = [basicConstraints(true), basicConstraints(true)]
  return pem('CERTIFICATE', oddCertificate({ key: keyPair(), subject: 'Corpus Twice', extensions }))
}

/** An extension that is not a SEQUENCE: OpenSSL refuses every chain with it, and Node throws for some of these. */
function oddly(id: string): string {
  const extensions = [basicConstraints(true), extension(id, octets(Buffer.from([3])))]
  return pem('CERTIFICATE', oddCertificate({ key: keyPair(), subject: 'Corpus Malformed', extensions }))
}

function bundleOf(authorities: readonly Authority[]): string {
  return authorities.map(({ certPem }) => certPem).join('')
}

function withBundle(site: Site, bundle: string) {
  site.write('ca.crt', bundle)
  return rightPair(site)
}

function withDirectory(site: Site) {
  site.makeDirectory('anchors')
  site.write('anchors/a.crt', root.certPem)
  return rightPair(site)
}

function yes(
  id: string,
  bundle: string,
  warns: AcceptedRow['warns'] = [],
  example?: AcceptedRow['example'],
): AcceptedRow {
  return {
    id,
    accepted: (site) => withBundle(site, bundle),
    warns,
    ...(warns.length > 0 ? { at: 'ca.crt' } : {}),
    ...(example ? { example } : {}),
  }
}

function no(
  id: string,
  refused: RefusedRow['refused'],
  spoil: (site: Site) => void,
  example?: RefusedRow['example'],
): RefusedRow {
  return { id, spoil, refused, at: 'ca.crt', ...(example ? { example } : {}) }
}

function inDirectory(id: string, add: (site: Site) => void, warns: AcceptedRow['warns'] = []): AcceptedRow {
  return {
    id,
    accepted(site) {
      const leaf = withDirectory(site)
      add(site)
      return leaf
    },
    warns,
  }
}

function noDirectory(
  id: string,
  refused: RefusedRow['refused'],
  spoil: (site: Site) => void,
  at: string | null,
): RefusedRow {
  return { id, spoil, refused, at }
}
