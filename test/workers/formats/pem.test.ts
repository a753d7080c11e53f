import assert from 'node:assert/strict'
import { randomBytes, X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import { derOf, splitPem, toPem } from '../../../src/workers/formats/pem.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { encryptedPkcs8, traditionalKey } from '../../../support/material/key-forms.js'
import { keyPair } from '../../../support/material/keys.js'
import { pkcs12 } from '../../../support/material/pkcs12.js'
import { problemOf } from '../../../support/worker/problems.js'

const authority = createAuthority()
const intermediate = authority.issueAuthority()
const leaf = intermediate.issue()
const whole = [
  { label: 'CERTIFICATE', pem: leaf.certPem },
  { label: 'CERTIFICATE', pem: intermediate.certPem },
]

for (const [what, text] of [
  ['as it is written', leaf.chainPem],
  ['with CRLF', leaf.chainPem.replaceAll('\n', '\r\n')],
  ['with the line ends of old Macs', leaf.chainPem.replaceAll('\n', '\r')],
  ['with a UTF-8 BOM', `\ufeff${leaf.chainPem}`],
  [
    'with a UTF-8 BOM before each block, as `cat` joins files',
    `\ufeff${leaf.certPem}\ufeff${intermediate.certPem}`,
  ],
  ['without a line end at its end', leaf.chainPem.trimEnd()],
  ['with every line indented, as YAML leaves it', leaf.chainPem.replaceAll(/^/gm, '    ')],
  ['with spaces at the end of each line', leaf.chainPem.replaceAll('\n', ' \t\n')],
  ['with text around the blocks', `Subject: é\n${leaf.certPem}Issuer: ü\n${intermediate.certPem}the end`],
  ['with empty lines between', `\n\n${leaf.certPem}\n\n${intermediate.certPem}\n\n`],
  ['with its base64 in one line', leaf.chainPem.replaceAll(/([^-])\n(?!-)/g, '$1')],
] as const) {
  test(`a chain ${what} gives its two certificates, normalized`, () => {
    assert.deepEqual(splitPem(Buffer.from(text), 'chain.pem'), whole)
  })
}

test('a file without any block gives none', () => {
  assert.deepEqual(splitPem(Buffer.from(''), 'empty.pem'), [])
  assert.deepEqual(splitPem(Buffer.from('not a certificate\n'), 'text.pem'), [])
})

for (const marker of ['-----END ', '-----BEGIN ', '-----BEGIN X-----', '\n# -----END X-----']) {
  test(`text full of ${JSON.stringify(marker)} is read in linear time`, () => {
    const text = (count: number) => Buffer.from(`# ${marker.repeat(count)}`)
    const [short, long] = [text(500), text(8000)]
    // 16 times the length, of which the square is 256. Another program may use the processor in between.
    const ratios = Array.from({ length: 7 }, () => timeOf(long) / timeOf(short))
    assert.ok(Math.min(...ratios) < 64, ratios.join(', '))
  })
}

function timeOf(bytes: Buffer): number {
  const began = performance.now()
  assert.deepEqual(splitPem(bytes, 'text.pem'), [])
  return performance.now() - began
}

test('a view into a larger buffer gives the content of the view', () => {
  const slab = Buffer.from(`${authority.certPem}${leaf.chainPem}`)
  const view = new Uint8Array(slab.buffer, slab.byteOffset + authority.certPem.length, leaf.chainPem.length)
  assert.deepEqual(splitPem(view, 'chain.pem'), whole)
})

test('the headers of an encrypted traditional key are kept', () => {
  const pem = traditionalKey(keyPair(), 'secret')
  assert.deepEqual(splitPem(Buffer.from(pem.replaceAll('\n', '\r\n')), 'key.pem'), [
    { label: 'EC PRIVATE KEY', pem },
  ])
})

test('a header is kept unchanged, with any characters in it', () => {
  const pem = leaf.certPem.replace('-----\n', () => "-----\nComment: $& costs $1 and $'\n\n")
  assert.deepEqual(splitPem(Buffer.from(pem), 'f'), [{ label: 'CERTIFICATE', pem }])
})

test('OpenSSL can read the PEM that is created from DER', () => {
  const pem = toPem('CERTIFICATE', leaf.certDer)
  assert.equal(pem, leaf.certPem)
  assert.equal(new X509Certificate(pem).fingerprint256, leaf.fingerprint256)
})

test('the bytes of a block survive encoding and decoding, for any length', () => {
  for (let length = 1; length < 200; length++) {
    const der = randomBytes(length)
    assert.deepEqual(derOf(toPem('X509 CRL', der)), der)
  }
})

test('a block gives the same bytes wherever its lines are broken', () => {
  for (let length = 1; length < 200; length++) {
    const pem = toPem('X509 CRL', randomBytes(length))
    const [head, tail] = ['-----BEGIN X509 CRL-----\n', '-----END X509 CRL-----\n']
    const base64 = pem.slice(head.length, -tail.length).replaceAll('\n', '')
    for (const width of [1, 4, 48, 63, 64, 65, 76, 1000]) {
      const lines = base64.match(new RegExp(`.{1,${width}}`, 'g')) ?? []
      const written = `${head}${lines.join('\n')}\n${tail}`
      assert.deepEqual(splitPem(Buffer.from(written), 'f'), [{ label: 'X509 CRL', pem }])
    }
  }
})

test('a block of 30 MB, as a revocation list can be, is read like a short one', () => {
  const pem = toPem('X509 CRL', Buffer.alloc(30_000_000, 'list'))
  assert.deepEqual(splitPem(Buffer.from(pem), 'f'), [{ label: 'X509 CRL', pem }])
})

for (const [what, content] of [
  ['a truncated block', leaf.certPem.slice(0, -40)],
  ['a block without its beginning', leaf.certPem.slice(leaf.certPem.indexOf('\n') + 1)],
  ['a block inside a block', leaf.certPem.replace('\n', `\n${intermediate.certPem}`)],
  ['an end with another label', leaf.certPem.replace('END CERTIFICATE', 'END PRIVATE KEY')],
  ['a whole block and half of the next', leaf.chainPem.slice(0, -100)],
  ['a block with a letter missing', leaf.certPem.replace(/[A-Za-z0-9]\n/, '\n')],
  ['a block with a letter that is not base64', leaf.certPem.replace(/[A-Za-z0-9]\n/, '*\n')],
  ['a block without content', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
  ['a BEGIN line that is not a header', `${leaf.certPem}-----BEGIN the end\n`],
  ['a stray END line at the end', `${leaf.certPem}-----END CERTIFICATE-----\n`],
  ['UTF-16 with a BOM', Buffer.from(`\ufeff${leaf.certPem}`, 'utf16le')],
  ['UTF-16 with the opposite byte order', Buffer.from(`\ufeff${leaf.certPem}`, 'utf16le').swap16()],
  ['UTF-16 without a BOM', Buffer.from(leaf.certPem, 'utf16le')],
  ['DER', leaf.certDer],
] as const) {
  test(`${what} is refused, and the file is named`, () => {
    const { code, path, message } = problemOf(() => splitPem(Buffer.from(content), '/etc/tls.crt'))
    assert.deepEqual({ code, path }, { code: 'PEM_INVALID', path: '/etc/tls.crt' })
    assert.match(message, /\/etc\/tls\.crt/)
  })
}

/** The bytes of the PEM that our factory writes. */
const bytesOf = (pem: string) => Buffer.from(pem.split('-----')[2] as string, 'base64')
const { privateKey } = keyPair()
const { privateKey: edKey } = keyPair('ed25519')

for (const [what, der, command] of [
  ['certificate', leaf.certDer, 'openssl x509 '],
  ['PKCS#8 key', privateKey.export({ type: 'pkcs8', format: 'der' }), 'openssl pkey '],
  ['SEC1 key', privateKey.export({ type: 'sec1', format: 'der' }), 'openssl pkey '],
  ['short key', edKey.export({ type: 'pkcs8', format: 'der' }), 'openssl pkey '],
  ['encrypted key', bytesOf(encryptedPkcs8({ privateKey, publicKey: privateKey }, 'x')), 'openssl pkey '],
  ['revocation list', bytesOf(authority.crl()), 'openssl crl '],
  ['PKCS#12 file', pkcs12({ leaf }), 'openssl pkcs12 '],
  ['piece of a certificate', leaf.certDer.subarray(0, 100), 'openssl x509 '],
] as const) {
  test(`a ${what} in DER is refused with the ${command}command that converts it`, () => {
    const { code, message } = problemOf(() => splitPem(der, 'some.file'))
    assert.equal(code, 'PEM_INVALID')
    assert.ok(message.includes(command), message)
  })
}
