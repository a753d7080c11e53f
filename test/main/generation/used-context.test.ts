import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import { buildContext, type ContextPlan } from '../../../src/main/generation/build-context.js'
import { pointAt } from '../../../src/main/generation/native-context.js'
import { runAtOnce } from '../../../src/main/generation/slices.js'
import { canRenewLeaves, renewLeaves, type UsedContext } from '../../../src/main/generation/used-context.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { contextPlan } from '../../../support/engine/context-plans.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const EC = 'EC prime256v1'
const RSA = 'RSA 2048'
const root = createAuthority()
const authority = createAuthority({ parent: root })

test('a renewed leaf is sent with its issuers once, however often the context was renewed', async (t) => {
  const first = authority.issue()
  const used = usedContext([first])
  const { server, port } = await serving(t, used)
  const lengthOf = async (maxVersion: tls.SecureVersion) => ({
    at: maxVersion,
    bytes: await flightBytes(port, maxVersion),
  })
  const before = [await lengthOf('TLSv1.2'), await lengthOf('TLSv1.3')]
  for (let renewal = 0; renewal < 5; renewal++) {
    const next = authority.issue()
    pointAt(server, renew(used, [next]))
    const seen = await handshake({ port })
    assert.equal(seen.fingerprint256, next.fingerprint256)
    assert.equal(seen.issuers.length, 1)
    for (const { at, bytes } of before) {
      const now = await flightBytes(port, at as tls.SecureVersion)
      // Signatures of EC keys differ by a few bytes; an issuer has hundreds.
      assert.ok(Math.abs(now - bytes) < 40, `${at}: ${now} bytes after ${bytes}`)
    }
  }
})

test('a connection that was accepted before its context got another leaf finishes its handshake with the old one', async (t) => {
  const [first, second] = [authority.issue(), authority.issue()]
  const used = usedContext([first])
  const { server, port } = await serving(t, used)
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    pointAt(server, used.context)
    const accepted = once(server, 'connection')
    const raw = net.connect(port, '127.0.0.1')
    await accepted
    pointAt(server, usedContext([authority.issue()]).context)
    renew(used, [second])
    const client = tls.connect({ socket: raw, maxVersion, rejectUnauthorized: false })
    await once(client, 'secureConnect')
    assert.equal(client.getPeerX509Certificate()?.fingerprint256, first.fingerprint256)
    client.destroy()
    renew(used, [first])
  }
})

test('both pairs of a context that serves two key types are renewed', async (t) => {
  const issueBoth = () => [authority.issue(), authority.issue({ keyType: 'rsa-2048' })] as const
  const used = usedContext(issueBoth(), [EC, RSA])
  const { port } = await serving(t, used)
  const next = issueBoth()
  assert.ok(canRenewLeaves(used, planOf(next), [EC, RSA]))
  renew(used, next)
  const seen = await Promise.all(
    ['ECDSA', 'RSA'].map((algorithm) =>
      handshake({ port, maxVersion: 'TLSv1.2', ciphers: `ECDHE-${algorithm}-AES128-GCM-SHA256` }),
    ),
  )
  assert.deepEqual(
    seen.map(({ fingerprint256 }) => fingerprint256),
    next.map(({ fingerprint256 }) => fingerprint256),
  )
})

test('other issuers, another key type and another number of pairs need a new context', () => {
  const used = usedContext([authority.issue()])
  const [ec, rsa] = [authority.issue(), authority.issue({ keyType: 'rsa-2048' })]
  const others = {
    'another intermediate': canRenewLeaves(used, planOf([createAuthority({ parent: root }).issue()]), [EC]),
    'no intermediate': canRenewLeaves(used, planOf([root.issue()]), [EC]),
    'another key type': canRenewLeaves(used, planOf([rsa]), [RSA]),
    'one pair more': canRenewLeaves(used, planOf([ec, rsa]), [EC, RSA]),
  }
  for (const [what, can] of Object.entries(others)) assert.equal(can, false, what)
  assert.ok(canRenewLeaves(used, planOf([ec]), [EC]))
})

test('a key that does not belong to the leaf is refused', () => {
  const used = usedContext([authority.issue()])
  const wrong = { ...authority.issue(), keyPem: authority.issue().keyPem }
  assert.throws(() => renew(used, [wrong]), { code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' })
})

function usedContext(leaves: readonly Leaf[], keyTypes: readonly string[] = [EC]): UsedContext {
  const plan = planOf(leaves)
  return { plan, keyTypes, context: runAtOnce(buildContext(plan)) }
}

function planOf(pairs: readonly Leaf[]): ContextPlan {
  return contextPlan({ pairs })
}

function renew({ context }: UsedContext, leaves: readonly Leaf[]): tls.SecureContext {
  return runAtOnce(renewLeaves(context, planOf(leaves).material.pairs))
}

async function serving(t: TestContext, { context }: UsedContext) {
  const server = createEcho({})
  pointAt(server, context)
  return { server, port: await listen(t, server) }
}

/** The bytes that a server sends until its connection is closed after the handshake. */
async function flightBytes(port: number, maxVersion: tls.SecureVersion): Promise<number> {
  const raw = net.connect(port, '127.0.0.1')
  await once(raw, 'connect')
  const client = tls.connect({ socket: raw, maxVersion, rejectUnauthorized: false })
  await once(client, 'secureConnect')
  client.end()
  client.resume()
  await once(client, 'close')
  return raw.bytesRead
}
