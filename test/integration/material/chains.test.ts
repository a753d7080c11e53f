/*
 * A certificate file may contain more than one path to a root. A problem of a certificate that no path needs is a warning; a
 * problem of a certificate that every path needs is a refusal. Real clients verify what is served.
 */

import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine, ReloadEngineOptions, ReloadError } from '../../../src/main/index.js'
import { curl, withoutCurl } from '../../../support/clients/curl.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { serveEcho, startEngine } from '../../../support/engine/engines.js'
import { putHost } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import {
  type Authority,
  type AuthorityOptions,
  createAuthority,
  type Leaf,
} from '../../../support/material/certificates.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'
import { certswap } from '../../../support/processes/program.js'

const PAST = { notBefore: new Date('2010-01-31'), notAfter: new Date('2020-01-31') }
const FUTURE = { notBefore: new Date('2100-01-31') }

const oldRoot = createAuthority({ name: 'Old Root' })
const root = createAuthority({ name: 'New Root' })
const issuer = root.issueAuthority({ name: 'Issuer' })
const leaf = issuer.issue()

/** Another certificate of the same issuer, with the same key. */
const twin = (options: AuthorityOptions) => root.issueAuthority({ name: 'Issuer', key: issuer, ...options })
/** The root, signed by the old root. */
const crossSigned = (options: AuthorityOptions = {}) =>
  oldRoot.issueAuthority({ name: 'New Root', key: root, ...options })
const file = (...certificates: readonly { readonly certPem: string }[]) =>
  certificates.map(({ certPem }) => certPem).join('')

/** Files that verify in every client that has the root. */
const avoidable = {
  'an expired cross-signature at its end': [file(leaf, issuer, crossSigned(PAST)), 'CERT_EXPIRED'],
  'an expired cross-signature before the intermediate': [
    file(leaf, crossSigned(PAST), issuer),
    'CERT_EXPIRED CHAIN_ORDER',
  ],
  'an expired cross-signature and the root': [file(leaf, issuer, crossSigned(PAST), root), 'CERT_EXPIRED'],
  'a cross-signature that is not valid yet': [file(leaf, issuer, crossSigned(FUTURE)), 'CERT_NOT_YET_VALID'],
  'an old intermediate with the same key after the new one': [file(leaf, issuer, twin(PAST)), 'CERT_EXPIRED'],
  'an old intermediate with the same key before the new one': [
    file(leaf, twin(PAST), issuer),
    'CERT_EXPIRED',
  ],
  'an intermediate of the future before the current one': [
    file(leaf, twin(FUTURE), issuer),
    'CERT_NOT_YET_VALID',
  ],
  'an old intermediate with another key before the new one': [
    file(leaf, root.issueAuthority({ name: 'Issuer', ...PAST }), issuer),
    'CERT_EXPIRED CHAIN_ORDER',
  ],
  'an intermediate that is signed with SHA-1 before the new one': [
    file(leaf, twin({ signatureHash: 'sha1' }), issuer),
    'KEY_TOO_WEAK',
  ],
  'an expired root': [
    file(leaf, issuer, createAuthority({ name: 'New Root', key: root, ...PAST })),
    'CERT_EXPIRED',
  ],
} as const

for (const [what, [chainPem, codes]] of Object.entries(avoidable)) {
  test(`a file with ${what} is served with a warning, and clients with the root accept it`, async (t) => {
    const engine = await startFrom(t, chainPem)
    const { warnings, certificates } = engine.status().generation
    assert.deepEqual(
      warnings
        .map(({ code }) => code)
        .sort()
        .join(' '),
      codes,
    )
    assert.ok(warnings.some(({ message }) => /leave it out of the file/.test(message)))
    // No alert for a date that no client checks.
    assert.ok(Date.parse(certificates[0]?.chainNotAfter ?? '') > Date.now())
    const port = await serveEcho(t, engine)
    const { authorized, authorizationError } = await handshake({ port, ca: root.certPem })
    assert.ok(authorized, authorizationError)
  })
}

test('OpenSSL, curl and GnuTLS accept the chains that Node accepts', {
  skip: withoutOpenssl || withoutCurl || withoutGnutls(),
}, async (t) => {
  const dir = tempDir(t)
  const ca = join(dir, 'root.crt')
  writeFileSync(ca, root.certPem)
  for (const what of [
    'an expired cross-signature at its end',
    'an old intermediate with the same key before the new one',
    'an intermediate that is signed with SHA-1 before the new one',
  ] as const) {
    const port = await serveEcho(t, await startFrom(t, avoidable[what][0]))
    const openssl = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', ca, '-verify_return_error']
    assert.equal((await run('openssl', [...openssl, '-servername', 'localhost'])).code, 0, `openssl: ${what}`)
    const name = `localhost:${port}`
    const { stderr } = await curl(
      '--cacert',
      ca,
      '--resolve',
      `${name}:127.0.0.1`,
      '-m',
      '2',
      `https://${name}/`,
    )
    assert.doesNotMatch(stderr, /certificate/, `curl: ${what}`)
    const gnutls = await run('gnutls-cli', ['--x509cafile', ca, '-p', String(port), 'localhost'])
    assert.match(gnutls.stdout, /The certificate is trusted/, `gnutls: ${what}`)
  }
})

test('a bad certificate that every path needs is still refused, wherever the roots come from', async (t) => {
  const dead = root.issueAuthority({ name: 'Dead', ...PAST })
  const below = dead.issueAuthority({ name: 'Below' })
  const low = below.issue()
  const ca = join(tempDir(t), 'ca.crt')
  writeFileSync(ca, root.certPem)
  const direct = root.issue()
  const files: readonly (readonly [string, Leaf, string, Partial<ReloadEngineOptions>])[] = [
    ['an expired intermediate', leaf, file(leaf, twin(PAST)), {}],
    ['two of them', leaf, file(leaf, twin(PAST), twin({ ...PAST, serial: '77' })), {}],
    ['one above another, with the root in the file', low, file(low, below, dead, root), {}],
    ['one above another, with the root as an anchor', low, file(low, below, dead), { ca }],
    ['an expired issuer of an unknown root', direct, file(direct, crossSigned(PAST)), {}],
  ]
  for (const [what, { keyPem }, chainPem, options] of files) {
    const { code } = (await startFrom(t, chainPem, keyPem, options).catch((error) => error)) as ReloadError
    assert.equal(code, 'CERT_EXPIRED', what)
  }
})

test('an expired cross-signature of a root that issued the leaf itself is a warning if the root is known', async (t) => {
  const direct = root.issue()
  const ca = join(tempDir(t), 'ca.crt')
  writeFileSync(ca, root.certPem)
  const engine = await startFrom(t, file(direct, crossSigned(PAST)), direct.keyPem, { ca })
  assert.deepEqual(
    engine.status().generation.warnings.map(({ code }) => code),
    ['CERT_EXPIRED'],
  )
})

test('the certificates of two valid paths are all sent, without a warning', async (t) => {
  const engine = await startFrom(t, file(leaf, issuer, crossSigned()))
  assert.deepEqual(engine.status().generation.warnings, [])
  const port = await serveEcho(t, engine)
  for (const ca of [root.certPem, oldRoot.certPem]) assert.ok((await handshake({ port, ca })).authorized)

  const other = oldRoot.issueAuthority({ name: 'Issuer', key: issuer })
  const twice = await startFrom(t, file(leaf, issuer, other))
  assert.deepEqual(twice.status().generation.warnings, [])

  const renewed = file(leaf, twin({ notAfter: new Date(Date.now() + 3_600_000) }), issuer)
  const long = await startFrom(t, renewed)
  assert.deepEqual(long.status().generation.warnings, [])
  const { issuers } = await handshake({ port: await serveEcho(t, long) })
  assert.equal(issuers[0], issuer.fingerprint256, 'the one that expires later goes first')
})

test('`certswap check`, a reload, an update and SNI hosts give the same verdict on such files', async (t) => {
  const dir = tempDir(t)
  const files = writePair(dir, leaf)
  const chainPem = file(leaf, issuer, crossSigned(PAST))
  const engine = await startEngine(t, { ...files, hosts: join(dir, 'hosts', '*') })
  writePair(dir, { chainPem, keyPem: leaf.keyPem })
  putHost(dir, issuer as Authority, 'a.example')
  const host = issuer.issue({ names: ['a.example'] })
  writePair(join(dir, 'hosts', 'a.example'), { ...host, chainPem: file(host, twin(PAST), issuer) })
  const reloaded = await engine.reload()
  assert.equal(reloaded.outcome, 'applied')
  assert.deepEqual(
    reloaded.warnings.map(({ code, host: id }) => [code, id === undefined]),
    [
      ['CERT_EXPIRED', true],
      ['CERT_EXPIRED', false],
    ],
  )
  const updated = await engine.update({ policy: { clockSkewSeconds: 0 } })
  assert.deepEqual([updated.outcome, updated.problems], ['applied', []])
  const { code, stdout } = await certswap(['check', '--cert', 'tls.crt', '--key', 'tls.key'], { cwd: dir })
  assert.equal(code, 0)
  assert.match(stdout, /^warning +CERT_EXPIRED: .*leave it out of the file/m)
})

async function startFrom(
  t: TestContext,
  chainPem: string,
  keyPem: string = leaf.keyPem,
  options: Partial<ReloadEngineOptions> = {},
): Promise<ReloadEngine> {
  return startEngine(t, { ...writePair(tempDir(t), { chainPem, keyPem }), ...options })
}

function withoutGnutls(): string | false {
  const { error } = spawnSync('gnutls-cli', ['--version'])
  return error ? 'needs gnutls-cli: apt-get install gnutls-bin' : false
}

function run(program: string, args: readonly string[]): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    const child = execFile(program, [...args], { timeout: 20_000 }, (error, stdout) => {
      resolve({ code: error ? Number(error.code) : 0, stdout })
    })
    child.stdin?.end()
  })
}
