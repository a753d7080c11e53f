// One broken certificate in a bundle of trust anchors does not disable the others. It is skipped, so that it admits no client,
// and is named in a warning.

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngineOptions } from '../../../src/main/index.js'
import { damagedSettings, obsoleteRoot } from '../../../support/cases/broken-anchors.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority, manyAuthorities } from '../../../support/material/certificates.js'
import { nothing, oid, pem, sequence } from '../../../support/material/der.js'
import { basicConstraints, subjectAltName } from '../../../support/material/extensions.js'
import { keyPair, signerOf } from '../../../support/material/keys.js'
import { mlDsaPair, readsMlDsa } from '../../../support/material/ml-dsa.js'
import { oddCertificate } from '../../../support/material/odd-certificate.js'
import { certswap } from '../../../support/processes/program.js'
import { prepareHere, taskFor } from '../../../support/worker/tasks-here.js'

const root = createAuthority({ name: 'Anchors Root' })
const visitor = root.issue({ names: ['visitor.example'] })
const server = root.issue()
const crowd = [root, ...manyAuthorities(98)]
const bundle = crowd.map(({ certPem }) => certPem).join('')

test('a leaf and a root with MD2 in a bundle of a hundred are named, and the others are in force', async (t) => {
  const obsolete = obsoleteRoot('Root of MD2')
  const { options } = site(t, [bundle, visitor.certPem, obsolete.certPem])
  const engine = await startEngine(t, options)
  const { warnings, trust } = engine.status().generation
  assert.deepEqual(
    warnings.map(({ code, path }) => [code, path]),
    [
      ['CA_INVALID', options.ca],
      ['CA_INVALID', options.ca],
    ],
  )
  assert.match(
    warnings[0]?.message ?? '',
    /^CN=visitor\.example in \S+ is not a CA certificate; it is left out .*remove it from the file$/,
  )
  assert.match(warnings[1]?.message ?? '', /^CN=Root of MD2 .*version 1/)
  assert.equal(trust.authorities, 100)
  const port = await serveEcho(t, engine)
  assert.ok(await visit(port, visitor))
  // OpenSSL does not verify the signature of an anchor: the root with MD2 is trusted for the certificates that it issued.
  assert.ok(await visit(port, leafOf(obsolete)))
})

test('a broken anchor is added and removed while the engine runs: no reload is refused, and the others stay in force', async (t) => {
  const { options, write } = site(t, [bundle])
  const engine = await startEngine(t, options)
  const port = await serveEcho(t, engine)
  for (const [extra, expected] of [
    [visitor.certPem, 1],
    [visitor.certPem + server.certPem, 2],
    ['', 0],
  ] as const) {
    write(bundle + extra)
    const result = await engine.reload()
    assertApplied(result)
    assert.equal(result.warnings.length, expected)
    assert.equal(engine.status().generation.trust.authorities, 99)
    assert.equal((await engine.reload()).outcome, 'unchanged')
    assert.ok(await visit(port, visitor))
  }
})

test('a renewal of the leaf keeps the warning and the number of anchors', async (t) => {
  const { options, dir } = site(t, [bundle, visitor.certPem])
  const engine = await startEngine(t, options)
  writePair(dir, root.issue())
  assertApplied(await engine.reload())
  const { warnings, trust } = engine.status().generation
  assert.deepEqual([warnings.length, trust.authorities], [1, 99])
})

test('a server certificate in a directory of anchors is named, and the others are in force', async (t) => {
  const { options, dir } = site(t, [bundle])
  const anchors = join(dir, 'anchors')
  mkdirSync(anchors)
  writeFileSync(join(anchors, 'a.crt'), root.certPem)
  writeFileSync(join(anchors, 'b.crt'), server.certPem)
  const { ca: _, ...rest } = options
  const engine = await startEngine(t, { ...rest, caDir: anchors })
  const [warning] = engine.status().generation.warnings
  assert.equal(warning?.path, join(anchors, 'b.crt'))
  assert.ok(await visit(await serveEcho(t, engine), visitor))
})

for (const [what, broken, code] of [
  ['a leaf', visitor.certPem, 'CA_INVALID'],
  ['a root with a duplicate extension', twiceConstrained(), 'CA_INVALID'],
  ...(readsMlDsa
    ? []
    : [['a root with a key that OpenSSL does not know', mlDsaRoot(), 'KEY_UNSUPPORTED'] as const]),
] as const) {
  test(`${what}: a warning by default, a refusal if the policy requires it or if it is the only anchor`, async (t) => {
    const many = site(t, [root.certPem, broken]).options
    assert.deepEqual(await verdict(many), { kind: 'prepared', codes: [code] })
    assert.deepEqual(await verdict(many, { brokenAnchor: 'reject' }), { kind: 'refused', codes: [code] })
    assert.deepEqual(await verdict(many, { brokenAnchor: 'reject' }, true), {
      kind: 'prepared',
      codes: [code],
    })
    const alone = site(t, [broken]).options
    for (const brokenAnchor of [undefined, 'reject', 'warn'] as const) {
      const policy = brokenAnchor === undefined ? {} : { brokenAnchor }
      assert.deepEqual(await verdict(alone, policy, true), { kind: 'refused', codes: [code] })
    }
  })
}

test('an intermediate whose root is broken is refused by default, because no client could be accepted', async (t) => {
  const broken = createAuthority({
    name: 'Odd Root',
    key: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
  })
  const below = broken.issueAuthority({ name: 'Below Odd Root' })
  const { options } = site(t, [below.certPem, broken.certPem])
  assert.deepEqual(await verdict(options), { kind: 'refused', codes: ['KEY_UNSUPPORTED'] })
  assert.equal((await verdict(options, { brokenAnchor: 'warn' })).kind, 'prepared')
  const partial = { ...options, tls: { allowPartialTrustChain: true } }
  assert.deepEqual(await verdict(partial), {
    kind: 'prepared',
    codes: ['CHAIN_INCOMPLETE', 'KEY_UNSUPPORTED'],
  })
})

test('a version 1 certificate with a signature of an unknown kind is not a root: it is skipped', async (t) => {
  const signer = { algorithm: sequence(oid('1.2.3.4.5'), nothing()), sign: () => Buffer.alloc(256, 1) }
  const odd = oddCertificate({ key: keyPair('rsa-2048'), signer, subject: 'Unknown', version: 1 })
  const { options } = site(t, [root.certPem, pem('CERTIFICATE', odd)])
  const reply = await prepareHere(taskFor(options))
  assert.ok(reply.kind === 'prepared')
  assert.equal(reply.trust.authorities, 1)
  assert.match(reply.warnings[0]?.message ?? '', /CN=Unknown .* is not a CA certificate; it is left out/)
})

const intermediate = root.issueAuthority({ name: 'Anchors Intermediate' })

for (const [what, broken, options] of [
  ['trust settings that make an intermediate an anchor', explicitlyTrusted(intermediate), {}],
  ['trust settings that are damaged', damagedSettings(intermediate), {}],
  ['a leaf where partial chains are allowed', visitor.certPem, { tls: { allowPartialTrustChain: true } }],
] as const) {
  test(`${what}, which would widen trust: a refusal by default, and skipped if the policy allows it`, async (t) => {
    const other = createAuthority({ name: 'Anchors Other Root' })
    const { dir, options: given } = site(t, [other.certPem, broken])
    const many = { ...given, ...writePair(dir, other.issue()), ...options }
    assert.deepEqual(await verdict(many), { kind: 'refused', codes: ['CA_INVALID'] })
    assert.deepEqual(await verdict(many, { brokenAnchor: 'warn' }), {
      kind: 'prepared',
      codes: ['CA_INVALID'],
    })
    const engine = await startEngine(t, { ...many, policy: { brokenAnchor: 'warn' } })
    const port = await serveEcho(t, engine)
    for (const leaf of [visitor, intermediate.issue()]) await assert.rejects(visit(port, leaf))
  })
}

test('`certswap check` names the anchor that is skipped, and exits with 0', async (t) => {
  const { options, dir } = site(t, [root.certPem, visitor.certPem])
  const { cert, key, ca } = options
  const args = ['check', '--cert', cert, '--key', key, '--ca', ca, '--request-cert']
  const { code, stdout, stderr } = await certswap(args, { cwd: dir })
  assert.equal(code, 0, stderr)
  assert.match(
    stdout + stderr,
    /CA_INVALID.*CN=visitor\.example .*left out of the trust anchors: remove it from the file/,
  )
})

function site(t: TestContext, anchors: readonly string[]) {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.crt')
  const write = (content: string) => writeFileSync(ca, content)
  write(anchors.join(''))
  return { dir, write, options: { ...writePair(dir, server), ca, requestCert: true } }
}

async function verdict(
  options: ReloadEngineOptions,
  policy: ReloadEngineOptions['policy'] = {},
  force = false,
) {
  const reply = await prepareHere(taskFor({ ...options, policy }, { force }))
  const found = reply.kind === 'refused' ? reply.problems : reply.kind === 'prepared' ? reply.warnings : []
  return { kind: reply.kind, codes: found.map(({ code }) => code) }
}

function visit(port: number, { certPem, keyPem }: { readonly certPem: string; readonly keyPem: string }) {
  return handshake({ port, cert: certPem, key: keyPem, confirm: true, waitForSession: false })
}

function leafOf({ privateKey, name }: ReturnType<typeof obsoleteRoot>) {
  const key = keyPair()
  const extensions = [basicConstraints(false), ...subjectAltName({ names: ['old.example'] }, false)]
  const options = { key, signer: signerOf(privateKey), subject: 'old.example', issuer: name, extensions }
  const keyPem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { certPem: pem('CERTIFICATE', oddCertificate(options)), keyPem }
}

function twiceConstrained(): string {
  const extensions = [basicConstraints(true), basicConstraints(true)]
  return pem('CERTIFICATE', oddCertificate({ key: keyPair(), subject: 'Twice', extensions }))
}

function mlDsaRoot(): string {
  return createAuthority({ name: 'Recent Root', key: mlDsaPair(), parent: root }).certPem
}

/** X509_CERT_AUX with the purpose clientAuth. */
function explicitlyTrusted({ certDer }: Authority): string {
  return pem('TRUSTED CERTIFICATE', Buffer.concat([certDer, sequence(sequence(oid('1.3.6.1.5.5.7.3.2')))]))
}
