import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { createReloadEngine, type ReloadEngineOptions } from '../../src/main/index.js'
import { createAuthority, type Leaf } from '../support/certificates.js'
import { createEcho, listen } from '../support/echo-server.js'
import { recordingLogger } from '../support/recording-logger.js'
import { tempDir } from '../support/temp-dir.js'
import { handshake } from '../support/tls-client.js'

const issuer = createAuthority({ name: 'Weak Keys Root' }).issueAuthority({ name: 'Weak Keys Intermediate' })
// Node before 24 adds a host's key of another type to the default one: both are of one type here.
const weak = {
  'an RSA key of 1,024 bits': { names: ['weak.example'], keyType: 'rsa-1024' },
  'a signature with SHA-1': { names: ['weak.example'], keyType: 'ec', signatureHash: 'sha1' },
} as const

for (const [what, options] of Object.entries(weak)) {
  const strongType = options.keyType === 'ec' ? 'ec' : 'rsa-2048'

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const only = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const

    test(`a host with ${what} is served beside a strong certificate where the policy warns, in ${version}`, async (t) => {
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

  test(`${what} is served where the policy warns and TLS 1.3 suites alone are named`, async (t) => {
    const leaf = issuer.issue(options)
    const port = await serve(t, tempDir(t), leaf, {
      tls: { ciphers: 'TLS_AES_128_GCM_SHA256' },
      policy: { weakKey: 'warn' },
    })
    const shown = await handshake({ port, ciphers: 'DEFAULT@SECLEVEL=0', waitForSession: false })
    assert.equal(shown.fingerprint256, leaf.fingerprint256)
  })
}

test('a security level in `tls.ciphers` stays, and no suite without authentication comes in', async (t) => {
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

test('a policy that serves a weak certificate lets in no client with a weak one', async (t) => {
  const dir = tempDir(t)
  const root = createAuthority({ name: 'Root of Clients' })
  writeFileSync(join(dir, 'ca.pem'), root.certPem)
  const more = { ca: join(dir, 'ca.pem'), requestCert: true, policy: { weakKey: 'warn' } } as const
  const port = await serve(t, dir, issuer.issue(), more)
  const enter = ({ chainPem: cert, keyPem: key }: Leaf) =>
    handshake({
      port,
      cert,
      key,
      ciphers: 'DEFAULT@SECLEVEL=0',
      maxVersion: 'TLSv1.2',
      waitForSession: false,
    })
  await enter(root.issue({ extendedKeyUsage: 'client' }))
  await assert.rejects(enter(root.issue({ extendedKeyUsage: 'client', signatureHash: 'sha1' })))
})

test('beside trust anchors, the refusal of a weak certificate names the option that serves it', async (t) => {
  const dir = tempDir(t)
  const leaf = issuer.issue({ names: ['localhost'], keyType: 'ec', signatureHash: 'sha1' })
  const root = createAuthority({ name: 'Root of Clients' })
  writeFileSync(join(dir, 'ca.pem'), root.certPem)
  const more = { ca: join(dir, 'ca.pem'), policy: { weakKey: 'warn' } } as const
  await assert.rejects(serve(t, dir, leaf, more), {
    code: 'REHEARSAL_FAILED',
    message: /beside trust anchors \(`ca`\), set `tls\.ciphers` to "DEFAULT@SECLEVEL=0"/,
  })
  const port = await serve(t, dir, leaf, { ...more, tls: { ciphers: 'DEFAULT@SECLEVEL=0' } })
  const shown = await handshake({ port, ciphers: 'DEFAULT@SECLEVEL=0', waitForSession: false })
  assert.equal(shown.fingerprint256, leaf.fingerprint256)
})

async function serve(
  t: TestContext,
  dir: string,
  leaf: Leaf,
  more: Partial<ReloadEngineOptions>,
): Promise<number> {
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
  return await listen(t, server)
}

function put(dir: string, leaf: Leaf): void {
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'tls.crt'), leaf.chainPem)
  writeFileSync(join(dir, 'tls.key'), leaf.keyPem, { mode: 0o600 })
}
