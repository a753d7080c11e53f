import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import {
  createReloadEngine,
  type ReloadEngineOptions,
  type ReloadError,
  type ReloadResult,
} from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import { subjectAltName } from '../../../support/material/extensions.js'
import { keyPair, pssSigner } from '../../../support/material/keys.js'
import { oddCertificate } from '../../../support/material/odd-certificate.js'
import { fingerprint256 } from '../../../support/material/x509.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const issuer = createAuthority({ name: 'Weak Keys Root' }).issueAuthority({ name: 'Weak Keys Intermediate' })
// Node before 24 adds a host's key of another type to the default one, so both have the same type here.
const weak = {
  'an RSA key of 1,024 bits': { names: ['weak.example'], keyType: 'rsa-1024' },
  'a signature with SHA-1': { names: ['weak.example'], keyType: 'ec', signatureHash: 'sha1' },
} as const

const unloadable = findUnloadable()
const skip = unloadable ? false : 'this Node loads every kind of weak certificate at its usual level'

/** Node 20 has no types for these. */
const roots = tls as typeof tls & {
  getCACertificates(type: 'default'): string[]
  setDefaultCACertificates(certificates: readonly string[]): void
}

for (const [what, options] of Object.entries(weak)) {
  const strongType = options.keyType === 'ec' ? 'ec' : 'rsa-2048'

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const only = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const

    test(`a host with ${what} is served beside a strong certificate if the policy warns, in ${version}`, async (t) => {
      const dir = tempDir(t)
      const [host, strong] = [issuer.issue(options), issuer.issue({ keyType: strongType })]
      put(join(dir, 'host'), host)
      const port = await serve(t, dir, strong, {
        hosts: { 'weak.example': { cert: join(dir, 'host/tls.crt'), key: join(dir, 'host/tls.key') } },
        policy: { weakKey: 'warn' },
      })
      const shown = await handshake({ port, ...only, servername: 'weak.example', waitForSession: false })
      assert.equal(shown.fingerprint256, host.fingerprint256)
      const other = await handshake({ port, ...only, servername: 'localhost', waitForSession: false })
      assert.equal(other.fingerprint256, strong.fingerprint256)
    })
  }

  test(`${what} is served if the policy warns and only TLS 1.3 suites are listed`, async (t) => {
    const leaf = issuer.issue(options)
    const port = await serve(t, tempDir(t), leaf, {
      tls: { ciphers: 'TLS_AES_128_GCM_SHA256' },
      policy: { weakKey: 'warn' },
    })
    const shown = await handshake({ port, ciphers: 'DEFAULT@SECLEVEL=0', waitForSession: false })
    assert.equal(shown.fingerprint256, leaf.fingerprint256)
  })
}

test('a leaf that is signed by RSA-PSS with MD5 is refused as weak, and served if the policy warns', async (t) => {
  const pss = createAuthority({ name: 'Weak Keys PSS', keyType: 'rsa-pss' })
  const key = keyPair()
  const certDer = oddCertificate({
    ...{ key, subject: 'localhost', issuer: pss.name, signer: pssSigner(pss.privateKey, 'md5') },
    extensions: subjectAltName({ names: ['localhost'] }, false),
  })
  const chainPem = pem('CERTIFICATE', certDer)
  const leaf = { ...pss.issue({ key }), certDer, chainPem, fingerprint256: fingerprint256(certDer) }
  await assert.rejects(serving(t, tempDir(t), leaf, {}), { code: 'KEY_TOO_WEAK' })
  const port = await serve(t, tempDir(t), leaf, { policy: { weakKey: 'warn' } })
  const shown = await handshake({ port, ciphers: 'DEFAULT@SECLEVEL=0', waitForSession: false })
  assert.equal(shown.fingerprint256, leaf.fingerprint256)
})

test('a security level in `tls.ciphers` is kept, and no suite without authentication is added', async (t) => {
  const dir = tempDir(t)
  const options = (ciphers: string): ReloadEngineOptions => ({
    cert: join(dir, 'tls.crt'),
    key: join(dir, 'tls.key'),
    tls: { ciphers },
    policy: { weakKey: 'warn' },
    logger: recordingLogger(),
  })
  put(dir, issuer.issue({ keyType: 'rsa-1024' }))
  await assert.rejects(createReloadEngine(options('DEFAULT@SECLEVEL=2')), {
    code: 'REHEARSAL_FAILED',
    message: /key too small; set `policy\.weakKey` to "warn", and no @SECLEVEL in `tls\.ciphers`/,
  })
  put(dir, issuer.issue())
  const engine = await createReloadEngine(options('ALL'))
  t.after(() => engine.close())
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  const port = await listen(t, server)
  const anonymous = { maxVersion: 'TLSv1.2', ciphers: 'aNULL:@SECLEVEL=0', waitForSession: false } as const
  await assert.rejects(handshake({ port, ...anonymous }))
})

test('a policy that serves a weak certificate admits no client with a weak one', async (t) => {
  const dir = tempDir(t)
  const root = createAuthority({ name: 'Root of Clients' })
  writeFileSync(join(dir, 'ca.pem'), root.certPem)
  const more = { ca: join(dir, 'ca.pem'), requestCert: true, policy: { weakKey: 'warn' } } as const
  const port = await serve(t, dir, issuer.issue(), more)
  await assertNoWeakClient(port, root)
})

test('trust anchors that are added while a weak certificate is served are refused, and a rollback keeps its anchors in force', {
  skip,
}, async (t) => {
  const dir = tempDir(t)
  const root = createAuthority({ name: 'Root of Clients' })
  writeFileSync(join(dir, 'ca.pem'), root.certPem)
  const leaf = unloadable as Leaf
  const { engine, port } = await serving(t, dir, leaf, { policy: { weakKey: 'warn' } })
  const trust = { ca: join(dir, 'ca.pem'), requestCert: true }
  const refused = await engine.update(trust)
  assert.deepEqual([refused.outcome, refused.problems[0]?.code], ['rejected', 'REHEARSAL_FAILED'])
  await handshake({ port, ciphers: 'DEFAULT@SECLEVEL=0', waitForSession: false })

  put(dir, issuer.issue({ keyType: 'ec' }))
  assertApplied(await engine.update(trust))
  // The certificate of the first generation needs a level that the trust now in force forbids.
  await engine.rollback().catch((error: ReloadError) => assert.equal(error.code, 'CONTEXT_REFUSED'))
  await assertNoWeakClient(port, root)
})

test('a rollback to options without trust anchors does not let the anchors in force admit a client with a weak certificate', async (t) => {
  const dir = tempDir(t)
  const root = createAuthority({ name: 'Root of Clients' })
  writeFileSync(join(dir, 'ca.pem'), root.certPem)
  const { engine } = await serving(t, dir, issuer.issue(), { policy: { weakKey: 'warn' } })
  assertApplied(await engine.update({ ca: join(dir, 'ca.pem'), requestCert: true }))
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  const port = await listen(t, server)
  const back = await engine.rollback()
  assert.deepEqual([back.outcome, back.restored], ['applied', { generation: 1, trust: 'kept' }])
  await assertNoWeakClient(port, root)
})

test('an update serves a weak certificate, and another one refuses it, in the engine and in its fleet members', async (t) => {
  const dir = tempDir(t)
  const [strong, weakLeaf] = [issuer.issue(), issuer.issue({ signatureHash: 'sha1' })]
  const { engine, port } = await serving(t, dir, strong, {})
  const joined = await joinHere(t, engine)
  const server = createEcho(joined.serverOptions())
  joined.attach(server)
  const ports = [port, await listen(t, server)]
  const assertShown = async ({ fingerprint256 }: Leaf) => {
    for (const port of ports) {
      const shown = await handshake({ port, ciphers: 'DEFAULT@SECLEVEL=0', waitForSession: false })
      assert.equal(shown.fingerprint256, fingerprint256)
    }
  }
  put(dir, weakLeaf)
  const codesOf = ({ outcome, problems }: ReloadResult) => [outcome, ...problems.map(({ code }) => code)]
  assert.deepEqual(codesOf(await engine.reload()), ['rejected', 'KEY_TOO_WEAK'])
  await assertShown(strong)
  const { outcome, members } = await engine.update({ policy: { weakKey: 'warn' } })
  assert.deepEqual([outcome, members.map((one) => one.outcome)], ['applied', ['applied']])
  await assertShown(weakLeaf)
  assert.deepEqual(codesOf(await engine.update({ policy: { weakKey: 'reject' } })), [
    'rejected',
    'KEY_TOO_WEAK',
  ])
  await assertShown(weakLeaf)
  put(dir, issuer.issue())
  assert.deepEqual(codesOf(await engine.update({ policy: { weakKey: 'reject' } })), ['applied'])
  // Each generation has the level of its own options.
  assert.deepEqual(codesOf(await engine.rollback()), ['applied'])
  await assertShown(weakLeaf)
})

test('outgoing connections do not present a weak certificate that the policy allows for servers, and the error names the option', {
  skip,
}, async (t) => {
  const leaf = unloadable as Leaf
  const { engine } = await serving(t, tempDir(t), leaf, { policy: { weakKey: 'warn' } })
  assert.throws(() => engine.secureContext(), {
    code: 'CONTEXT_REFUSED',
    message: /`tls\.ciphers` to "DEFAULT@SECLEVEL=0"/,
  })
  const tlsOptions = { ciphers: 'DEFAULT@SECLEVEL=0' }
  const { engine: named } = await serving(t, tempDir(t), leaf, {
    policy: { weakKey: 'warn' },
    tls: tlsOptions,
  })
  assert.ok(named.secureContext())
})

test('outgoing connections keep the default security level', {
  skip: 'setDefaultCACertificates' in roots ? false : 'this Node cannot change the roots that it trusts',
}, async (t) => {
  const authority = createAuthority({ name: 'Root of Servers' })
  const before = roots.getCACertificates('default')
  roots.setDefaultCACertificates([authority.certPem])
  t.after(() => roots.setDefaultCACertificates(before))
  const { engine } = await serving(t, tempDir(t), issuer.issue(), { policy: { weakKey: 'warn' } })
  for (const [signatureHash, isWeak] of [
    ['sha256', false],
    ['sha1', true],
  ] as const) {
    const { chainPem: cert, keyPem: key } = authority.issue({ keyType: 'ec', signatureHash })
    const server = createEcho({ cert, key, ciphers: 'DEFAULT@SECLEVEL=0' })
    const port = await listen(t, server)
    const client = tls.connect({ port, servername: 'localhost', secureContext: engine.secureContext() })
    t.after(() => client.destroy())
    await (isWeak ? assert.rejects(once(client, 'secureConnect')) : once(client, 'secureConnect'))
  }
})

test('with trust anchors, the refusal of a weak certificate names the option that allows it', {
  skip,
}, async (t) => {
  const dir = tempDir(t)
  const leaf = unloadable as Leaf
  const root = createAuthority({ name: 'Root of Clients' })
  writeFileSync(join(dir, 'ca.pem'), root.certPem)
  const more = { ca: join(dir, 'ca.pem'), policy: { weakKey: 'warn' } } as const
  await assert.rejects(serve(t, dir, leaf, more), {
    code: 'REHEARSAL_FAILED',
    message: /with trust anchors \(`ca`\), set `tls\.ciphers` to "DEFAULT@SECLEVEL=0"/,
  })
  const port = await serve(t, dir, leaf, { ...more, tls: { ciphers: 'DEFAULT@SECLEVEL=0' } })
  const shown = await handshake({ port, ciphers: 'DEFAULT@SECLEVEL=0', waitForSession: false })
  assert.equal(shown.fingerprint256, leaf.fingerprint256)
})

/** A weak certificate that this Node does not load at its default level: versions differ. */
function findUnloadable(): Leaf | undefined {
  const isRefused = ({ chainPem: cert, keyPem: key }: Leaf) => {
    try {
      tls.createSecureContext({ cert, key })
      return false
    } catch {
      return true
    }
  }
  return Object.values(weak)
    .map((options) => issuer.issue({ ...options, names: ['localhost'] }))
    .find(isRefused)
}

/** Asserts that a client with a strong certificate is admitted, and one with a weak certificate is not. */
async function assertNoWeakClient(port: number, root: Authority): Promise<void> {
  const enter = ({ chainPem: cert, keyPem: key }: Leaf) =>
    handshake({
      ...{ port, cert, key, ciphers: 'DEFAULT@SECLEVEL=0', maxVersion: 'TLSv1.2' },
      waitForSession: false,
    })
  await enter(root.issue({ extendedKeyUsage: 'client' }))
  await assert.rejects(enter(root.issue({ extendedKeyUsage: 'client', signatureHash: 'sha1' })))
}

async function serve(
  t: TestContext,
  dir: string,
  leaf: Leaf,
  more: Partial<ReloadEngineOptions>,
): Promise<number> {
  return (await serving(t, dir, leaf, more)).port
}

async function serving(t: TestContext, dir: string, leaf: Leaf, more: Partial<ReloadEngineOptions>) {
  put(dir, leaf)
  const engine = await createReloadEngine({
    cert: join(dir, 'tls.crt'),
    key: join(dir, 'tls.key'),
    logger: recordingLogger(),
    ...more,
  })
  t.after(() => engine.close())
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  return { engine, port: await listen(t, server) }
}

function put(dir: string, leaf: Leaf): void {
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'tls.crt'), leaf.chainPem)
  writeFileSync(join(dir, 'tls.key'), leaf.keyPem, { mode: 0o600 })
}
