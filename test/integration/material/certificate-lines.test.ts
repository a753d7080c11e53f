/*
 * Each problem of a certificate is one line of `certswap check` that names the certificate and the property; another line
 * states the action. The commands in these lines work.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { adviceFor } from '../../../src/main/base/advice.js'
import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { bits, oid, pem, sequence } from '../../../support/material/der.js'
import {
  basicConstraints,
  extension,
  keyUsage,
  subjectAltName,
} from '../../../support/material/extensions.js'
import { type KeyPair, type KeyType, keyPair, signerOf } from '../../../support/material/keys.js'
import { oddCertificate } from '../../../support/material/odd-certificate.js'
import { run } from '../../../support/processes/named-command.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'
import { certswap } from '../../../support/processes/program.js'
import { prepareHere, taskFor } from '../../../support/worker/tasks-here.js'

const root = createAuthority({ name: 'Lines Root' })
const NAMES = subjectAltName({ names: ['localhost'] }, false)
const usage = (...ids: string[]) => extension('2.5.29.37', sequence(...ids.map(oid)))
const [CLIENT, ANY, MAIL] = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0', '1.3.6.1.5.5.7.3.4'] as const
const netscape = (byte: number) =>
  extension('2.16.840.1.113730.1.1', bits(Buffer.from([byte]), 31 - Math.clz32(byte & -byte)))

interface Flawed {
  readonly type?: KeyType
  readonly leaf?: readonly Buffer[]
  readonly intermediate?: readonly Buffer[]
  readonly root?: readonly Buffer[]
}

/** The problem, and the texts that its line must contain. */
const FLAWED: readonly [what: string, flawed: Flawed, line: RegExp][] = [
  [
    'an RSA leaf without digitalSignature',
    { type: 'rsa-2048', leaf: [keyUsage('keyEncipherment')] },
    /^CERT_PURPOSE: the certificate in \S+tls\.crt .* its key usage lacks digitalSignature$/,
  ],
  [
    'an EC leaf without digitalSignature',
    { leaf: [keyUsage('keyEncipherment')] },
    /^CERT_PURPOSE: .* its key usage lacks digitalSignature$/,
  ],
  [
    'an Ed25519 leaf without digitalSignature',
    { type: 'ed25519', leaf: [keyUsage('keyCertSign')] },
    /^CERT_PURPOSE: .* its key usage lacks digitalSignature$/,
  ],
  [
    'a leaf for any purpose',
    { leaf: [usage(ANY)] },
    /^CERT_PURPOSE: .* anyExtendedKeyUsage without serverAuth/,
  ],
  [
    'a leaf without any purpose',
    { leaf: [usage()] },
    /^CERT_PURPOSE: .* extended key usage lacks serverAuth$/,
  ],
  [
    'a leaf for mail',
    { leaf: [usage(MAIL, ANY)] },
    /^CERT_PURPOSE: .* anyExtendedKeyUsage without serverAuth/,
  ],
  [
    'a leaf with the Netscape type of clients',
    { leaf: [netscape(0x80)] },
    /^CERT_PURPOSE: .* its Netscape type \(nsCertType\) lacks server$/,
  ],
  [
    'an intermediate for clients',
    { intermediate: [basicConstraints(true), usage(CLIENT)] },
    /^CERT_PURPOSE: CN=Lines Intermediate in .* its extended key usage lacks serverAuth;/,
  ],
  [
    'an intermediate for any purpose',
    { intermediate: [basicConstraints(true), usage(ANY)] },
    /^CERT_PURPOSE: CN=Lines Intermediate in .* its extended key usage lacks serverAuth;/,
  ],
  [
    'an intermediate that is not a CA',
    { intermediate: [basicConstraints(false)] },
    /^CERT_PURPOSE: CN=Lines Intermediate in .* it is not a CA certificate;/,
  ],
  [
    'an intermediate without keyCertSign',
    { intermediate: [basicConstraints(true), keyUsage('digitalSignature')] },
    /^CHAIN_INCOMPLETE: CN=localhost in .* CN=Lines Intermediate, whose key usage lacks keyCertSign:/,
  ],
  [
    'a root for clients',
    { root: [basicConstraints(true), usage(CLIENT)] },
    /^CERT_PURPOSE: CN=Lines Odd Root in .* its extended key usage lacks serverAuth;/,
  ],
  [
    'an RSA key of 1,024 bits',
    { type: 'rsa-1024' },
    /^KEY_TOO_WEAK: CN=localhost in .* uses a 1024-bit RSA key;/,
  ],
]

for (const [what, flawed, line] of FLAWED) {
  test(`${what} is one line that names the certificate and the property, and one line with the action`, async (t) => {
    const reply = await prepareHere(taskFor(write(t, flawed)))
    assert.equal(reply.kind, 'refused')
    const problems = reply.kind === 'refused' ? reply.problems : []
    const lines = problems.map(({ code, message }) => `${code}: ${message}`)
    assert.equal(lines.length, 1, lines.join('\n'))
    assert.match(lines[0] ?? '', line)
    assert.doesNotMatch(lines[0] ?? '', /\n/)
    const actions = adviceFor(problems.map(({ code }) => code))
    assert.equal(actions.length, 1)
    assert.match(actions[0] ?? '', /^(issue|append) .*$/)
  })
}

test('`certswap check` prints the two lines', { skip: onFirstNodeOnly }, async (t) => {
  const { cert, key } = write(t, { leaf: [usage(ANY)] })
  const checked = await certswap(['check', '--cert', cert, '--key', key], { cwd: tempDir(t) })
  assert.notEqual(checked.code, 0)
  assert.match(checked.stdout, /^problem +CERT_PURPOSE: .*\n$/)
  assert.match(
    checked.stderr,
    /^certswap: these files cannot be served\ncertswap: issue the named certificate .*\n$/,
  )
})

for (const [what, option] of [
  ['explicit curve parameters', ['-param_enc', 'explicit']],
  ['a compressed point', ['-conv_form', 'compressed']],
  ['a hybrid point', ['-conv_form', 'hybrid']],
] as const) {
  test(`a key with ${what} is a warning, and the command of the message writes a key whose certificate has none`, {
    skip: withoutOpenssl || onFirstNodeOnly,
  }, async (t) => {
    const cwd = tempDir(t)
    openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'plain.key'], cwd)
    openssl(['ec', '-in', 'plain.key', ...option, '-out', 'tls.key'], cwd)
    const before = await warningsOf(cwd, 'tls.key')
    assert.deepEqual(
      before.map(({ code }) => code),
      ['KEY_ENCODING'],
    )
    const command = /with (openssl ec .* -out NEW), and reissue/.exec(before[0]?.message ?? '')?.[1]
    assert.ok(command, before[0]?.message)
    assert.ok(
      adviceFor(['KEY_ENCODING'])[0]?.includes(command),
      'the message and the advice name one command',
    )
    run(command.replace('OLD', 'tls.key').replace('NEW', 'new.key'), cwd)
    assert.deepEqual(await warningsOf(cwd, 'new.key'), [])
  })
}

/** Issues a self-signed certificate for a key. */
async function warningsOf(cwd: string, key: string) {
  const names = ['-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE']
  openssl(
    ['req', '-x509', '-key', key, '-out', 'tls.crt', '-subj', '/CN=localhost', '-days', '2', ...names],
    cwd,
  )
  const reply = await prepareHere(taskFor({ cert: join(cwd, 'tls.crt'), key: join(cwd, key) }))
  assert.equal(reply.kind, 'prepared', JSON.stringify(reply))
  return reply.kind === 'prepared' ? reply.warnings.filter(({ code }) => code !== 'KEY_PERMISSIONS') : []
}

function openssl(args: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

/** A leaf with its intermediate, and with its root if that is odd. */
function write(t: TestContext, { type, leaf = [], intermediate, root: odd }: Flawed) {
  const dir = tempDir(t)
  const top = odd ? certified('Lines Odd Root', keyPair(), null, odd) : root
  const middle = certified('Lines Intermediate', keyPair(), top, intermediate ?? [basicConstraints(true)])
  const own = certified('localhost', keyPair(type), middle, [...NAMES, ...leaf])
  const [cert, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')]
  writeFileSync(cert, own.certPem + middle.certPem + (odd ? top.certPem : ''))
  writeFileSync(key, own.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  return { cert, key }
}

interface Certified extends KeyPair {
  readonly name: string
  readonly certPem: string
}

function certified(
  name: string,
  key: KeyPair,
  issuer: Certified | null,
  extensions: readonly Buffer[],
): Certified {
  const above = issuer ?? { ...key, name }
  const signer = signerOf(above.privateKey)
  const der = oddCertificate({ key, subject: name, issuer: above.name, signer, extensions })
  return { ...key, name, certPem: pem('CERTIFICATE', der) }
}
