import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import { currentContext } from '../../../src/main/generation/native-context.js'
import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, servedBy, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority, type LeafOptions } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const root = createAuthority()
const authority = createAuthority({ parent: root })

test('renewals by the same issuer alternate between two contexts, and each is served completely', async (t) => {
  const { server, port, renew } = await setUp(t)
  const contexts = new Set<unknown>()
  for (let i = 0; i < 6; i++) {
    const { fingerprint256 } = await renew()
    contexts.add(currentContext(server))
    const seen = await handshake({ port, ca: root.certPem })
    assert.deepEqual([seen.fingerprint256, seen.authorized], [fingerprint256, true])
  }
  // The first renewal is built on a spare; from then on the context before the previous one is reused for the next leaf.
  assert.equal(contexts.size, 2)
})

test('renewals that change key type or issuer back and forth are never mixed with the previous material', async (t) => {
  const { port, renew } = await setUp(t)
  const other = createAuthority({ parent: root })
  const ciphers = {
    ec: 'ECDHE-ECDSA-AES128-GCM-SHA256',
    'rsa-2048': 'ECDHE-RSA-AES128-GCM-SHA256',
  } as const
  const types = ['ec', 'rsa-2048'] as const
  for (let i = 0; i < 8; i++) {
    const keyType = types[i % 2] as (typeof types)[number]
    const { fingerprint256 } = await renew({ keyType }, i % 4 < 2 ? authority : other)
    const served = await handshake({ port, ca: root.certPem })
    assert.deepEqual([served.fingerprint256, served.authorized], [fingerprint256, true])
    const stale = types[(i + 1) % 2] as (typeof types)[number]
    const old = handshake({ port, maxVersion: 'TLSv1.2', ciphers: ciphers[stale] })
    await assert.rejects(old, `${stale} is still served`)
  }
})

test('a server that staples OCSP responses gets the issuer after every renewal', async (t) => {
  const { server, port, renew } = await setUp(t)
  const issuers: string[] = []
  // It is null for a leaf whose issuer Node does not know, contrary to the type.
  server.on('OCSPRequest', (_leaf: Buffer, issuer: Buffer, respond: OcspResponder) => {
    issuers.push((issuer as Buffer | null) ? new X509Certificate(issuer).fingerprint256 : 'none')
    respond(null, Buffer.alloc(0))
  })
  for (let i = 0; i < 4; i++) {
    await renew()
    const options = { port, requestOCSP: true, rejectUnauthorized: false }
    const client = tls.connect(options)
    await once(client, 'secureConnect')
    client.destroy()
  }
  assert.deepEqual(issuers, Array(4).fill(authority.fingerprint256))
})

test('without a history no key is kept in a context that has served', async (t) => {
  const { server, renew } = await setUp(t, { historySize: 0 })
  const contexts = new Set<unknown>()
  for (let i = 0; i < 4; i++) {
    await renew()
    contexts.add(currentContext(server))
  }
  assert.equal(contexts.size, 4)
})

test('sessions survive renewals that reuse a context, and a rollback to its previous content', async (t) => {
  const { engine, port, renew } = await setUp(t)
  const { fingerprint256 } = await renew()
  const { session } = await handshake({ port })
  for (let i = 0; i < 4; i++) await renew()
  assert.equal((await handshake({ port, session })).reused, true)
  const { generation } = engine.status()
  assertApplied(await engine.rollback(generation.number - 3))
  assert.notEqual(await servedBy(port), fingerprint256)
  assertApplied(await engine.rollback(generation.number - 1))
  assert.equal((await handshake({ port, session })).reused, true)
})

type OcspResponder = (error: Error | null, response: Buffer) => void

interface SetUp {
  readonly engine: ReloadEngine
  readonly server: tls.Server
  readonly port: number
  renew(leaf?: LeafOptions, issuer?: Authority): Promise<ReturnType<Authority['issue']>>
}

async function setUp(t: TestContext, options: Partial<ReloadEngineOptions> = {}): Promise<SetUp> {
  const dir = tempDir(t)
  const { cert, key } = writePair(dir, authority.issue())
  const engine = await startEngine(t, { cert, key, ...options })
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  const port = await listen(t, server)
  return {
    ...{ engine, server, port },
    async renew(leaf = {}, issuer = authority) {
      const issued = issuer.issue(leaf)
      writePair(dir, issued)
      assertApplied(await engine.reload())
      return issued
    },
  }
}
