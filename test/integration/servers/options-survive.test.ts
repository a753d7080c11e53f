/*
 * A reload replaces only certificates: the requirements of a server for its clients are the same before and after.
 *
 * Guards against reloads that silently reset ciphers, versions or client authentication to their defaults (haproxy#429,
 * spring-boot#51290, dstack#1239), as Node's own `setSecureContext` does with every option that is not passed again.
 */

import assert from 'node:assert/strict'
import { constants } from 'node:crypto'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine, ReloadEngineOptions, ServerExtra } from '../../../src/main/index.js'
import { assertRefused } from '../../../support/clients/refusal.js'
import { type Handshake, type HandshakeOptions, handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const authority = createAuthority()
const [clientAuthority, nextClientAuthority] = [createAuthority(), createAuthority()]

type Client = Partial<HandshakeOptions>

interface Demand {
  readonly engine: Partial<ReloadEngineOptions>
  readonly server?: ServerExtra
  /** A client that is admitted, and the properties that its connection must have. */
  readonly welcome: Client
  readonly seen: (connection: Handshake) => unknown
  readonly expected: unknown
  /** A client that would be admitted if the requirement were lost. */
  readonly refused?: Client
}

const tls12: Client = { maxVersion: 'TLSv1.2' }
const cipherOf = ({ socket }: Handshake): string => socket.getCipher().name
const curveOf = ({ socket }: Handshake): unknown => (socket.getEphemeralKeyInfo() as { name?: string }).name

const demands: Readonly<Record<string, Demand>> = {
  'the minimum version': {
    engine: { tls: { minVersion: 'TLSv1.3' } },
    welcome: {},
    seen: ({ protocol }) => protocol,
    expected: 'TLSv1.3',
    refused: tls12,
  },
  'the maximum version': {
    engine: { tls: { maxVersion: 'TLSv1.2' } },
    welcome: {},
    seen: ({ protocol }) => protocol,
    expected: 'TLSv1.2',
    refused: { minVersion: 'TLSv1.3' },
  },
  'the ciphers of TLS 1.2': {
    engine: { tls: { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_128_GCM_SHA256' } },
    welcome: tls12,
    seen: cipherOf,
    expected: 'ECDHE-ECDSA-AES256-GCM-SHA384',
    refused: { ...tls12, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
  },
  'the ciphers of TLS 1.3': {
    engine: { tls: { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' } },
    welcome: {},
    seen: cipherOf,
    expected: 'TLS_CHACHA20_POLY1305_SHA256',
    refused: { ciphers: 'TLS_AES_256_GCM_SHA384' },
  },
  "the server's preference among ciphers": {
    engine: { tls: { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384' } },
    welcome: { ...tls12, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256' },
    seen: cipherOf,
    expected: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  },
  "the client's preference among ciphers, if it is enabled": {
    engine: {
      tls: {
        ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384',
        honorCipherOrder: false,
      },
    },
    welcome: { ...tls12, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256' },
    seen: cipherOf,
    expected: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  },
  'the signature algorithms': {
    engine: { tls: { sigalgs: 'ECDSA+SHA256' } },
    welcome: { ...tls12, sigalgs: 'ECDSA+SHA384:ECDSA+SHA256' },
    seen: ({ protocol }) => protocol,
    expected: 'TLSv1.2',
    refused: { ...tls12, sigalgs: 'ECDSA+SHA384' },
  },
  'the curves': {
    engine: { tls: { ecdhCurve: 'P-384' } },
    welcome: { ecdhCurve: 'P-256:P-384' },
    seen: curveOf,
    expected: 'secp384r1',
    refused: { ecdhCurve: 'P-256' },
  },
  'secure options (no tickets)': {
    engine: { tls: { secureOptions: constants.SSL_OP_NO_TICKET } },
    welcome: tls12,
    seen: ({ socket }) => socket.getTLSTicket(),
    expected: undefined,
  },
  'the protocols that ALPN offers': {
    engine: {},
    server: { ALPNProtocols: ['acme/2', 'acme/1'] },
    welcome: { alpn: ['acme/1', 'acme/2'] },
    seen: ({ alpn }) => alpn,
    expected: 'acme/2',
  },
}

for (const [what, { engine: options, server, welcome, seen, expected, refused }] of Object.entries(demands)) {
  test(`a reload does not change ${what}`, async (t) => {
    const { engine, rotate } = await rotatingEngine(t, options)
    const port = await serveEcho(t, engine, server)
    for (let reload = 0; reload <= 3; reload++) {
      if (reload > 0) await rotate()
      const connection = await handshake({ ...welcome, port, keepOpen: true })
      assert.deepEqual(seen(connection), expected)
      await connection.close()
      if (refused) await assertRefused({ ...refused, port })
    }
  })
}

test('the requested client CAs stay the same after a reload of the certificate, and change after a reload of trust', async (t) => {
  const { engine, rotate, ca } = await rotatingEngine(t, { requestCert: true })
  const port = await serveEcho(t, engine)
  const [known, stranger] = [clientAuthority, nextClientAuthority].map((one) => {
    const { certPem, keyPem } = one.issue()
    return { port, cert: certPem, key: keyPem, confirm: true }
  }) as [HandshakeOptions, HandshakeOptions]
  for (let reload = 0; reload <= 3; reload++) {
    if (reload > 0) await rotate()
    await handshake(known)
    await assertRefused(stranger)
    await assertRefused({ port })
  }
  overwriteInPlace(ca, nextClientAuthority.certPem)
  assertApplied(await engine.reload())
  await handshake(stranger)
  await assertRefused(known)
  await assertRefused({ port })
})

test('a reload keeps an intermediate trusted on its own', async (t) => {
  const { engine, rotate, ca } = await rotatingEngine(t, {
    requestCert: true,
    tls: { allowPartialTrustChain: true },
  })
  const port = await serveEcho(t, engine)
  const intermediate = nextClientAuthority.issueAuthority()
  const { certPem, keyPem } = intermediate.issue()
  overwriteInPlace(ca, intermediate.certPem)
  assertApplied(await engine.reload())
  for (let reload = 0; reload <= 3; reload++) {
    if (reload > 0) await rotate()
    await handshake({ port, cert: certPem, key: keyPem, confirm: true })
  }
})

test('all options together stay in force after a reload, a change of trust and an attach', async (t) => {
  const { engine, rotate, ca } = await rotatingEngine(t, {
    requestCert: true,
    tls: { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256', ecdhCurve: 'P-384' },
  })
  const extra = { ALPNProtocols: ['acme/1'] }
  const ports = [await serveEcho(t, engine, extra)]
  const { certPem, keyPem } = clientAuthority.issue()
  const client = { cert: certPem, key: keyPem, alpn: ['acme/1'], confirm: true, keepOpen: true }
  const assertSame = async (): Promise<void> => {
    for (const port of ports) {
      const connection = await handshake({ ...client, port })
      const { protocol, alpn } = connection
      assert.deepEqual(
        { protocol, alpn, cipher: cipherOf(connection), curve: curveOf(connection) },
        { protocol: 'TLSv1.3', alpn: 'acme/1', cipher: 'TLS_AES_128_GCM_SHA256', curve: 'secp384r1' },
      )
      await connection.close()
      await assertRefused({ ...client, port, maxVersion: 'TLSv1.2' })
      await assertRefused({ port })
    }
  }
  await assertSame()
  await rotate()
  await assertSame()
  overwriteInPlace(ca, clientAuthority.certPem + nextClientAuthority.certPem)
  assertApplied(await engine.reload())
  ports.push(await serveEcho(t, engine, extra))
  await assertSame()
})

async function rotatingEngine(
  t: TestContext,
  options: Partial<ReloadEngineOptions>,
): Promise<{ engine: ReloadEngine; ca: string; rotate: () => Promise<void> }> {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.pem')
  overwriteInPlace(ca, clientAuthority.certPem)
  const engine = await startEngine(t, { ...writePair(dir, authority.issue()), ca, ...options })
  const rotate = async (): Promise<void> => {
    writePair(dir, authority.issue())
    assertApplied(await engine.reload())
  }
  return { engine, ca, rotate }
}
