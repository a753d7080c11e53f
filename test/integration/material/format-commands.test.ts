/*
 * Files in formats other than PEM: `certswap check` names the format and a command, and the command makes a file that is
 * served. The directory has a space and a quote in its name, so commands must quote it.
 */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import { csr } from '../../../support/material/key-forms.js'
import { derOf, utf32 } from '../../../support/material/pem-text.js'
import { pkcs7 } from '../../../support/material/pkcs7.js'
import { pkcs12 } from '../../../support/material/pkcs12.js'
import { assertServes, checkedProblem, problemOf, run } from '../../../support/processes/named-command.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'

const skip = withoutOpenssl || onFirstNodeOnly
const root = createAuthority()
const leaf = root.issue()
const text = `\ufeff${leaf.chainPem}`

for (const [what, content, format, converted] of [
  ['DER', leaf.certDer, /^PEM_INVALID: .* is DER, not PEM/, 'tls.crt.pem'],
  ['PKCS#7', pem('PKCS7', pkcs7([leaf, root])), /^CERT_MISSING: .* PKCS#7/, 'tls.crt.pem'],
  [
    'PKCS#7 under another label',
    pem('CERTIFICATE', pkcs7([leaf])),
    /^PEM_INVALID: .* it is PKCS#7/,
    'tls.crt.pem',
  ],
  ['PKCS#7 in DER', pkcs7([leaf, root]), /^PEM_INVALID: .* is PKCS#7 in DER/, 'tls.crt.pem'],
  ['UTF-16', Buffer.from(text, 'utf16le'), /^PEM_INVALID: .* is UTF-16 text/, 'tls.crt.new'],
  [
    'UTF-16 without a mark',
    Buffer.from(leaf.chainPem, 'utf16le').swap16(),
    /^PEM_INVALID: .* is UTF-16 text/,
    'tls.crt.new',
  ],
  ['UTF-32', utf32(text, 'utf32be'), /^PEM_INVALID: .* is UTF-32 text/, 'tls.crt.new'],
  [
    'UTF-32 without a mark',
    utf32(leaf.chainPem, 'utf32le'),
    /^PEM_INVALID: .* is UTF-32 text/,
    'tls.crt.new',
  ],
] as const) {
  test(`a certificate file in ${what} is recognized, and the command of the message converts it`, {
    skip,
  }, async (t) => {
    const dir = oddDir(t)
    const { problem, command } = await problemOf(pairIn(dir, content, leaf.keyPem))
    assert.match(problem, format)
    run(command, dir)
    await assertServes({ cert: join(dir, converted), key: join(dir, 'tls.key') })
  })
}

test('a PKCS#12 file in place of the certificate is converted, including its key', { skip }, async (t) => {
  const dir = oddDir(t)
  const options = pairIn(dir, pkcs12({ leaf, passphrase: 'secret' }), leaf.keyPem)
  const { problem, command } = await problemOf(options)
  assert.match(problem, /^PEM_INVALID: .* is PKCS#12, not PEM; use the option "pfx"/)
  run(command, dir, 'secret\n')
  const path = join(dir, 'tls.crt.pem')
  await assertServes({ cert: path, key: path })
})

for (const [what, content] of [
  ['PEM', csr(leaf)],
  ['DER', derOf(csr(leaf))],
] as const) {
  test(`a certificate request in ${what} is recognized, and the command shows what it requests`, {
    skip,
  }, async (t) => {
    const dir = oddDir(t)
    const { problem, command } = await problemOf(pairIn(dir, content, leaf.keyPem))
    assert.match(problem, /: .* certificate request \(CSR\)/)
    assert.match(run(command, dir), /CN ?= ?localhost/)
  })
}

test('a key in DER is recognized, and the command of the message converts it', { skip }, async (t) => {
  const dir = oddDir(t)
  pairIn(dir, leaf.chainPem, derOf(leaf.keyPem))
  const { problem, command } = await checkedProblem(ARGS, dir)
  assert.match(problem, /^PEM_INVALID: .*tls\.key is DER, not PEM/)
  run(command, dir)
  await assertServes({ cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key.pem') })
})

test('a key encrypted with DES is recognized, and the command of the message encrypts it with AES', {
  skip,
}, async (t) => {
  const dir = oddDir(t)
  const options = { ...pairIn(dir, leaf.chainPem, leaf.keyPem), passphrase: 'secret' }
  const providers = ['-provider', 'legacy', '-provider', 'default']
  const how = ['-topk8', ...providers, '-v1', 'PBE-MD5-DES', '-passout', 'pass:secret']
  writeFileSync(join(dir, 'plain.key'), leaf.keyPem)
  const files = ['-in', join(dir, 'plain.key'), '-out', join(dir, 'tls.key')]
  execFileSync('openssl', ['pkcs8', ...how, ...files])
  const { problem, command } = await problemOf(options)
  assert.match(problem, /^KEY_INVALID: .*tls\.key cannot be opened: it is encrypted with des-cbc, /)
  run(command, dir, 'secret\nsecret\nsecret\n')
  await assertServes({ cert: join(dir, 'tls.crt'), key: join(dir, 'NEW'), passphrase: 'secret' })
})

const withoutSshKeygen = spawnSync('ssh-keygen', ['-?']).error
  ? 'needs ssh-keygen: apt-get install openssh-client'
  : false

for (const keyType of ['rsa-2048', 'ec-p384'] as const) {
  test(`an OpenSSH key of ${keyType} is recognized, and the command of the message converts it in place`, {
    skip: skip || withoutSshKeygen,
  }, async (t) => {
    const dir = oddDir(t)
    const one = root.issue({ keyType })
    const options = pairIn(dir, one.chainPem, one.keyPem)
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', '', '-f', join(dir, 'tls.key')])
    assert.match(readFileSync(join(dir, 'tls.key'), 'latin1'), /OPENSSH/)
    const { problem, command } = await problemOf(options)
    assert.match(problem, /^KEY_INVALID: .*tls\.key is in OpenSSH's format/)
    run(command, dir)
    await assertServes({ cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') })
  })
}

test('an Ed25519 key of OpenSSH is recognized; the command creates a new key, because ssh-keygen cannot convert it', {
  skip: skip || withoutSshKeygen,
}, async (t) => {
  const dir = oddDir(t)
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'tls.key')])
  const options = pairIn(dir, leaf.chainPem, readFileSync(join(dir, 'tls.key')))
  const { problem, command } = await problemOf(options)
  assert.match(problem, /ssh-keygen does not convert Ed25519 keys/)
  run(command, dir)
  assert.match(readFileSync(join(dir, 'NEW.key'), 'latin1'), /^-----BEGIN PRIVATE KEY/)
})

const ARGS = ['--cert', 'tls.crt', '--key', 'tls.key']

/** A directory whose name a shell would split. */
function oddDir(t: TestContext): string {
  const dir = join(tempDir(t), "Ops' files")
  mkdirSync(dir)
  return dir
}

function pairIn(
  dir: string,
  cert: string | Uint8Array,
  key: string | Uint8Array,
): { cert: string; key: string } {
  writeFileSync(join(dir, 'tls.crt'), cert)
  writeFileSync(join(dir, 'tls.key'), key, { mode: 0o600 })
  return { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') }
}
