import { randomBytes } from 'node:crypto'

import type { Leaf } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import { csr, publicKeyPem } from '../../../support/material/key-forms.js'
import { blocksOf, cutAt, derOf, patched, rewrapped, utf32 } from '../../../support/material/pem-text.js'
import { pkcs7 } from '../../../support/material/pkcs7.js'
import { pkcs12 } from '../../../support/material/pkcs12.js'
import type { AcceptedRow, Group, RefusedRow } from '../corpus.js'
import { intermediate, pairOptions, rightPair, root, type Site } from '../site.js'

/** Forms of certificate files that occur in practice. */
export const certificateForms: Group = {
  title: 'a certificate file in one of its many forms',
  options: pairOptions,
  right: rightPair,
  rows: [
    form('lines that end in CRLF', ({ chainPem }) => chainPem.replaceAll('\n', '\r\n')),
    form('lines that end in CR', ({ chainPem }) => chainPem.replaceAll('\n', '\r')),
    form('a UTF-8 byte order mark', ({ chainPem }) => `\ufeff${chainPem}`),
    form('no newline at its end', ({ chainPem }) => chainPem.trimEnd()),
    form('spaces before and after each line', ({ chainPem }) => chainPem.replaceAll(/^(.*)$/gm, '\t  $1  ')),
    form('empty lines between all lines', ({ chainPem }) => chainPem.replaceAll('\n', '\n\n')),
    form('all base64 on one line', ({ chainPem }) => rewrapped(chainPem, 10_000)),
    form('lines of 76 characters', ({ chainPem }) => rewrapped(chainPem, 76)),
    form('text before, between and after the blocks, as `openssl x509 -text` writes it', ({ chainPem }) =>
      [TEXT, ...blocksOf(chainPem).map((block) => `${block}${TEXT}`)].join(''),
    ),
    form('the obsolete label', ({ chainPem }) => chainPem.replaceAll(' CERTIFICATE', ' X509 CERTIFICATE')),
    form("OpenSSL's label for trusted certificates", ({ chainPem }) =>
      chainPem.replaceAll(' CERTIFICATE', ' TRUSTED CERTIFICATE'),
    ),
    form('the key after the chain', ({ chainPem, keyPem }) => chainPem + keyPem),
    form('the key before the chain', ({ chainPem, keyPem }) => keyPem + chainPem),
    form('a revocation list after the chain', ({ chainPem }) => chainPem + root.crl()),
    form(
      'an old chain before it that is commented out with #',
      ({ chainPem }) => commented(root.certPem, '#') + chainPem,
    ),
    form(
      'a chain after it that is commented out with //',
      ({ chainPem }) => chainPem + commented(root.certPem, '// '),
    ),
    form(
      'half of a block, commented out',
      ({ chainPem }) => `${commented(cutAt(chainPem, 0.8), '# ')}\n${chainPem}`,
    ),
    form(
      'a sentence with a marker in it',
      ({ chainPem }) =>
        `Everything from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----:\n${chainPem}`,
    ),
    form('spaces and tabs inside the base64', ({ chainPem }) =>
      chainPem.replaceAll(/^([^-\n]{20})([^-\n]{30})/gm, '$1 $2\t'),
    ),
    form(
      'a block whose label has a dot',
      ({ chainPem, certDer }) => pem('X9.42 DH PARAMETERS', certDer) + chainPem,
    ),
    form('a byte order mark before each block', ({ certPem }) =>
      [certPem, intermediate.certPem].map((one) => `\ufeff${one}`).join('\r\n'),
    ),
    form(
      'invisible characters before a block: Ctrl-Z, NUL, a no-break and a zero-width space',
      ({ certPem }) => [certPem, intermediate.certPem, ''].join('\x1a\0\u00a0\u200b'),
    ),
    form('a static key of OpenVPN', ({ chainPem }) => chainPem + OPENVPN_KEY),
    form(
      'two concatenated files without a line end between them',
      ({ certPem }) => certPem.trimEnd() + intermediate.certPem,
    ),
  ],
}

function commented(text: string, mark: string): string {
  return text.replaceAll(/^(?=.)/gm, mark)
}

const OPENVPN_KEY = `-----BEGIN OpenVPN Static key V1-----
${'0123456789abcdef0123456789abcdef\n'.repeat(16)}-----END OpenVPN Static key V1-----
`

const TEXT = `Certificate:
    Data:
        Version: 3 (0x2)
        Signature Algorithm: ecdsa-with-SHA256
        Issuer: O = Müller & Söhne, CN = -- not a marker --
subject=CN = localhost
`

/** Chain and key in one file, which both options name. */
export const combinedFile: Group = {
  title: 'a file that contains both certificate and key',
  options: (site) => ({ ...pairOptions(site), cert: site.path('tls.pem'), key: site.path('tls.pem') }),
  right: (site) => combine(site, site.leaf(), ({ chainPem, keyPem }) => chainPem + keyPem),
  rows: [
    {
      id: 'the key before the chain',
      accepted: (site) => combine(site, site.leaf(), ({ chainPem, keyPem }) => keyPem + chainPem),
    },
    {
      id: 'the key between leaf and intermediate',
      accepted: (site) =>
        combine(site, site.leaf(), ({ certPem, keyPem }) => certPem + keyPem + intermediate.certPem),
    },
    {
      id: 'the file is gone, and is named once',
      spoil: (site) => site.remove('tls.pem'),
      refused: 'FILE_NOT_FOUND',
      at: 'tls.pem',
    },
    {
      id: 'the key is not in it yet',
      spoil(site) {
        combine(site, site.leaf(), ({ chainPem }) => chainPem)
      },
      refused: 'KEY_MISSING',
      at: 'tls.pem',
    },
    {
      id: 'half of the key is in it',
      spoil(site) {
        combine(site, site.leaf(), ({ chainPem, keyPem }) => chainPem + keyPem.slice(0, 150))
      },
      refused: 'PEM_INVALID',
      at: 'tls.pem',
    },
  ],
}

/** Files that contain no certificate, or an incomplete one. */
export const certificateDamage: Group = {
  title: 'a certificate file without a certificate, or with a damaged one',
  options: pairOptions,
  right: rightPair,
  rows: [
    {
      ...no('nothing', 'CERT_MISSING', () => '', true),
      message: /tls\.crt is empty: .* write the file again/,
    },
    {
      ...no('blank lines', 'CERT_MISSING', () => '\ufeff \r\n\t\n'),
      message: /tls\.crt holds only white space/,
    },
    no('a page of HTML', 'CERT_MISSING', () => '<!doctype html><title>404 Not Found</title>'),
    no('random bytes', 'CERT_MISSING', () => Buffer.concat([Buffer.from([1]), randomBytes(2000)])),
    {
      ...no('zeros, as after a crash', 'CERT_MISSING', () => Buffer.alloc(2000)),
      message: /tls\.crt holds only NUL bytes: .*; write the file again/,
    },
    {
      ...no('a certificate request', 'CERT_MISSING', (leaf) => csr(leaf)),
      message: /a certificate request \(CSR\), which a CA signs; .*: openssl req -in \S+ -noout -subject/,
    },
    {
      ...no('a certificate request in DER', 'PEM_INVALID', (leaf) => derOf(csr(leaf))),
      message: /is a certificate request \(CSR\) in DER, .*: openssl req -inform der -in /,
    },
    {
      ...no('PKCS#7', 'CERT_MISSING', ({ certDer }) => pem('PKCS7', pkcs7([{ certDer }]))),
      message: /PKCS#7 \(a \.p7b file\); convert it with: openssl pkcs7 -in \S+ -print_certs -out /,
    },
    {
      ...no('PKCS#7 under the label of a certificate', 'PEM_INVALID', ({ certDer }) =>
        pem('CERTIFICATE', pkcs7([{ certDer }])),
      ),
      message: /it is PKCS#7; convert it with: openssl pkcs7 -in /,
    },
    {
      ...no('PKCS#7 in DER', 'PEM_INVALID', ({ certDer }) => pkcs7([{ certDer }])),
      message: /is PKCS#7 in DER, not PEM; convert it with: openssl pkcs7 -inform der -in /,
    },
    ...['#', '; '].map((mark) =>
      no(`everything commented out with ${mark}`, 'CERT_MISSING', ({ chainPem }) =>
        commented(chainPem, mark),
      ),
    ),
    {
      ...no('quotes around the chain', 'PEM_INVALID', ({ chainPem }) => `cert: "${chainPem}"`),
      message: /its "-----BEGIN" has text before it; begin a line with it/,
    },
    {
      ...no('a chain as a JSON string', 'PEM_INVALID', ({ chainPem }) => JSON.stringify({ chainPem })),
      message: /is not at the start of a line; write real line ends instead of "\\n"/,
    },
    ...['# ', '"', 'cert: '].map((mark) =>
      no(
        `half of a block, with its first line hidden by ${JSON.stringify(mark)}, after the leaf`,
        'PEM_INVALID',
        ({ certPem }) => certPem + mark + cutAt(intermediate.certPem, 0.6),
      ),
    ),
    no(
      'a chain as a JSON string, after the leaf',
      'PEM_INVALID',
      ({ certPem, chainPem }) => certPem + JSON.stringify({ chainPem }),
    ),
    no('a comment inside a block', 'PEM_INVALID', ({ chainPem }) => chainPem.replace('\n', '\n# leaf\n')),
    no('only the first line of a block commented out', 'PEM_INVALID', ({ chainPem }) => `# ${chainPem}`),
    no('only the last line of a block commented out', 'PEM_INVALID', ({ chainPem }) =>
      chainPem.replace('-----END', '# -----END'),
    ),
    no(
      'the end of a block without line ends, after the chain',
      'PEM_INVALID',
      ({ chainPem }) => `${chainPem}MIIB${'A'.repeat(60)}-----END CERTIFICATE-----\n`,
    ),
    no(
      'a label with a lower-case letter',
      'PEM_INVALID',
      ({ chainPem }) => chainPem + intermediate.certPem.replaceAll('CERTIFICATE', 'CERTIFlCATE'),
    ),
    ...(['utf32le', 'utf32be'] as const).flatMap((order) => [
      {
        ...no(`UTF-32, ${order}`, 'PEM_INVALID', ({ chainPem }) => utf32(`\ufeff${chainPem}`, order)),
        message: /is UTF-32 text; save it as UTF-8: iconv -f UTF-32 -t UTF-8 /,
      },
      {
        ...no(`UTF-32, ${order}, without a byte order mark`, 'PEM_INVALID', ({ chainPem }) =>
          utf32(chainPem, order),
        ),
        message: /is UTF-32 text; save it as UTF-8: iconv -f UTF-32[LB]E -t UTF-8 /,
      },
    ]),
    no('a public key', 'CERT_MISSING', (leaf) => publicKeyPem(leaf)),
    no('the private key', 'CERT_MISSING', ({ keyPem }) => keyPem),
    no('a revocation list', 'CERT_MISSING', () => root.crl()),
    no('a block of an unknown kind', 'CERT_MISSING', ({ certDer }) => pem('SOMETHING ELSE', certDer)),
    {
      ...no('DER, with the conversion command in the message', 'PEM_INVALID', ({ certDer }) => certDer),
      message: /openssl x509 -inform der -in \S+tls\.crt -out /,
    },
    no('a PKCS#12 file', 'PEM_INVALID', (leaf) => pkcs12({ leaf, passphrase: 'x' })),
    no('UTF-16 with a byte order mark', 'PEM_INVALID', ({ chainPem }) =>
      Buffer.from(`\ufeff${chainPem}`, 'utf16le'),
    ),
    no('UTF-16 without one', 'PEM_INVALID', ({ chainPem }) => Buffer.from(chainPem, 'utf16le')),
    no('UTF-16 with the opposite byte order', 'PEM_INVALID', ({ chainPem }) =>
      Buffer.from(chainPem, 'utf16le').swap16(),
    ),
    no('a literal `\\n` in place of line ends', 'PEM_INVALID', ({ chainPem }) =>
      chainPem.replaceAll('\n', '\\n'),
    ),
    no('half of a header after the chain', 'PEM_INVALID', ({ chainPem }) => `${chainPem}-----BEGIN CERTI`),
    no('a block without an end', 'PEM_INVALID', ({ chainPem }) => cutAt(chainPem, 0.8), true),
    no('a block without a beginning', 'PEM_INVALID', ({ chainPem }) => chainPem.slice(300)),
    no('a block whose end has another label', 'PEM_INVALID', ({ certPem }) =>
      certPem.replace('-----END CERTIFICATE', '-----END PRIVATE KEY'),
    ),
    no('a block inside another', 'PEM_INVALID', ({ certPem }) =>
      certPem.replace(/\n(?=.{64}\n)/, `\n${certPem}`),
    ),
    no('an invalid character in the base64', 'PEM_INVALID', ({ chainPem }) => replaceAt(chainPem, 200, '*')),
    no('a missing character', 'PEM_INVALID', ({ chainPem }) => replaceAt(chainPem, 200, '')),
    no('an intermediate whose base64 is not a certificate', 'PEM_INVALID', ({ certPem }) =>
      [certPem, pem('CERTIFICATE', randomBytes(600))].join(''),
    ),
    no('a damaged certificate between two valid ones', 'PEM_INVALID', ({ certPem }) =>
      [certPem, pem('CERTIFICATE', intermediate.certDer.subarray(0, 200)), intermediate.certPem].join(''),
    ),
    no(
      'an empty block',
      'PEM_INVALID',
      ({ certPem }) => `${certPem}-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n`,
    ),
    no('a certificate with a key of an unknown kind', 'PEM_INVALID', ({ certPem }) =>
      patched(certPem, EC_PUBLIC_KEY, Buffer.from('06072a8648ce3d0277', 'hex')),
    ),
    no('a certificate with invalid dates', 'PEM_INVALID', ({ certPem, notAfter }) =>
      patched(certPem, utcTime(notAfter), Buffer.from('9913')),
    ),
    ...[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9].map((share) =>
      no(`the first ${share * 100} % of a long chain`, 'PEM_INVALID', ({ certPem }) =>
        cutAt(certPem + intermediate.certPem.repeat(6) + root.certPem, share),
      ),
    ),
  ],
}

const EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex')

/** Year and month of a UTCTime. */
function utcTime(date: Date): Buffer {
  return Buffer.from(date.toISOString().replaceAll('-', '').slice(2, 6))
}

function replaceAt(text: string, at: number, sign: string): string {
  return text.slice(0, at) + sign + text.slice(at + 1)
}

function form(id: string, write: (leaf: Leaf) => string): AcceptedRow {
  return {
    id,
    accepted(site) {
      const leaf = rightPair(site)
      site.write('tls.crt', write(leaf))
      return leaf
    },
  }
}

function no(
  id: string,
  refused: 'CERT_MISSING' | 'PEM_INVALID',
  write: (leaf: Leaf) => string | Uint8Array,
  example = false,
): RefusedRow {
  return {
    id,
    spoil(site) {
      const leaf = rightPair(site)
      site.write('tls.crt', write(leaf))
    },
    refused,
    at: 'tls.crt',
    ...(example ? { example: refused } : {}),
  }
}

function combine(site: Site, leaf: Leaf, write: (leaf: Leaf) => string): Leaf {
  site.write('tls.pem', write(leaf))
  return leaf
}
