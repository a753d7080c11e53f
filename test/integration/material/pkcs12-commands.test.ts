/* `certswap check` names what a PKCS#12 file lacks, and the command of the message creates a file that is served. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import { authenticatedSafe, pkcs12, withoutMac } from '../../../support/material/pkcs12.js'
import {
  assertServes,
  checkedProblem,
  findingIn,
  problemOf,
  run,
} from '../../../support/processes/named-command.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'
import { certswap } from '../../../support/processes/program.js'
import { prepareHere, taskFor } from '../../../support/worker/tasks-here.js'

const skip = withoutOpenssl || onFirstNodeOnly
const root = createAuthority()
const leaf = root.issue()
const passphrase = 'secret'
/** The same for each question of a program. */
const ANSWERS = `${passphrase}\n`.repeat(3)

for (const [what, options, words] of [
  ['RC2-40', ['-certpbe', 'PBE-SHA1-RC2-40', '-keypbe', 'PBE-SHA1-3DES'], /encrypted with rc2-40-cbc/],
  ['RC4 for the key', ['-keypbe', 'PBE-SHA1-RC4-128', '-certpbe', 'aes-256-cbc'], /encrypted with rc4,/],
  ['a MAC with MD4', ['-macalg', 'md4'], /its MAC is made with md4/],
] as const) {
  test(`a file with ${what} is reported, and the command of the message rewrites it`, {
    skip,
  }, async (t) => {
    const dir = tempDir(t)
    writeFileSync(join(dir, 'pair.pem'), leaf.certPem + leaf.keyPem)
    const input = [
      'pkcs12',
      '-export',
      '-legacy',
      '-in',
      join(dir, 'pair.pem'),
      '-passout',
      `pass:${passphrase}`,
    ]
    execFileSync('openssl', [...input, ...options, '-out', join(dir, 'tls.p12')])
    const { problem, command } = await problemOf(optionsIn(dir))
    assert.match(problem, /^PFX_INVALID: .* only in its legacy provider; /)
    assert.match(problem, words)
    run(command, dir, ANSWERS)
    await assertServes({ pfx: join(dir, 'NEW.p12'), passphrase })
  })
}

for (const [what, content, words] of [
  ['no private key', pkcs12({ leaf, passphrase, keyless: true }), /holds a certificate and no private key/],
  ['no certificate', pkcs12({ leaf, passphrase, bare: true }), /holds a private key and no certificate/],
  [
    'base64 in lines instead',
    Buffer.from(pem('X', pkcs12({ leaf, passphrase })).replaceAll(/-----.*-----\n/g, '')),
    /is base64 text, not PKCS#12/,
  ],
  ['PEM instead', Buffer.from(leaf.certPem + leaf.keyPem), /is PEM, not PKCS#12/],
  ['a certificate in DER instead', leaf.certDer, /is a certificate in DER, not PKCS#12/],
] as const) {
  test(`a file with ${what} is reported, and the command of the message creates a complete one`, {
    skip,
  }, async (t) => {
    const dir = tempDir(t)
    writeFileSync(join(dir, 'tls.p12'), content, { mode: 0o600 })
    writeFileSync(join(dir, 'CHAIN.pem'), leaf.chainPem)
    writeFileSync(join(dir, 'KEY.pem'), leaf.keyPem)
    const { problem, command } = await problemOf(optionsIn(dir))
    assert.match(problem, words)
    run(command, dir, ANSWERS)
    await assertServes({ pfx: join(dir, 'NEW.p12'), passphrase })
  })
}

test('a truststore is recognized, and the command of the message creates the file for the option `ca`', {
  skip,
}, async (t) => {
  const dir = tempDir(t)
  const content = pkcs12({ leaf: { ...root, privateKey: leaf.privateKey }, passphrase, keyless: true })
  writeFileSync(join(dir, 'tls.p12'), content)
  const { problem, command } = await checkedProblem(argsIn(dir), dir)
  assert.match(problem, /^PFX_INVALID: .* is a truststore: it holds trusted certificates and no private key/)
  run(command, dir, ANSWERS)
  const [cert, key, ca] = ['tls.crt', 'tls.key', 'CA.pem'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(cert, leaf.chainPem)
  writeFileSync(key, leaf.keyPem)
  await assertServes({ cert, key, ca, requestCert: true })
})

test('a truststore in RC2, as Java 8 writes it, is recognized, and the command creates the file for the option `ca`', {
  skip,
}, async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'ca.crt'), root.certPem)
  const input = ['pkcs12', '-export', '-legacy', '-nokeys', '-in', join(dir, 'ca.crt')]
  execFileSync('openssl', [...input, '-passout', `pass:${passphrase}`, '-out', join(dir, 'tls.p12')])
  const { problem, command } = await problemOf(optionsIn(dir))
  assert.match(problem, /^PFX_INVALID: .* encrypted with rc2-40-cbc, .*; no private key is visible in it; /)
  run(command, dir, ANSWERS)
  assert.equal(readFileSync(join(dir, 'CA.pem'), 'latin1').split('-----BEGIN CERTIFICATE').length, 2)
})

test('a file without a MAC is served with a warning, and the command of the warning adds the MAC', {
  skip,
}, async (t) => {
  const dir = tempDir(t)
  const content = withoutMac(authenticatedSafe({ leaf, passphrase }))
  writeFileSync(join(dir, 'tls.p12'), content, { mode: 0o600 })
  const checked = await certswap(['check', ...argsIn(dir)], { cwd: dir })
  assert.equal(checked.code, 0, checked.stdout)
  const line = checked.stdout.split('\n').find((one) => one.includes('PFX_INVALID')) ?? ''
  assert.match(line, /has no MAC, so changes to it cannot be detected/)
  run(findingIn(line).command, dir, ANSWERS)
  const reply = await prepareHere(taskFor({ pfx: join(dir, 'NEW.p12'), passphrase }))
  assert.equal(reply.kind, 'prepared')
  assert.doesNotMatch(JSON.stringify(reply), /PFX_INVALID/)
})

const withoutKeytool = spawnSync('keytool', ['-help']).error
  ? 'needs keytool: apt-get install default-jre-headless'
  : false

test('a Java keystore is recognized, and the command of the message converts it', {
  skip: skip || withoutKeytool,
}, async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'pair.p12'), pkcs12({ leaf, passphrase, friendlyName: 'x' }))
  const [from, to] = [join(dir, 'pair.p12'), join(dir, 'tls.p12')]
  const source = [
    '-importkeystore',
    '-srckeystore',
    from,
    '-srcstoretype',
    'PKCS12',
    '-srcstorepass',
    passphrase,
  ]
  const target = ['-destkeystore', to, '-deststoretype', 'JKS', '-deststorepass', passphrase]
  const keys = ['-srcalias', 'x', '-destkeypass', passphrase, '-srckeypass', passphrase]
  execFileSync('keytool', [...source, ...target, ...keys], { stdio: 'ignore' })
  const { problem, command } = await problemOf(optionsIn(dir))
  assert.match(problem, /^PFX_INVALID: .* is a Java keystore \(JKS\), not PKCS#12/)
  run(command, dir, ANSWERS)
  await assertServes({ pfx: join(dir, 'NEW.p12'), passphrase })
})

function optionsIn(dir: string): { pfx: string; passphrase: string } {
  return { pfx: join(dir, 'tls.p12'), passphrase }
}

/** The arguments for `tls.p12` and its passphrase, which is written beside it. */
function argsIn(dir: string): string[] {
  writeFileSync(join(dir, 'passphrase'), `${passphrase}\n`)
  return ['--pfx', 'tls.p12', '--passphrase-file', 'passphrase']
}
