import assert from 'node:assert/strict'
import { createDiffieHellmanGroup } from 'node:crypto'
import { test } from 'node:test'
import tls from 'node:tls'
import { inspect } from 'node:util'

import { buildContext, type ContextPlan, wholeOptions } from '../../../src/main/generation/build-context.js'
import { pointAt } from '../../../src/main/generation/native-context.js'
import { assertRefused } from '../../../support/clients/refusal.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { contextPlan } from '../../../support/engine/context-plans.js'
import { createAuthority, manyAuthorities } from '../../../support/material/certificates.js'
import { integer, pem, sequence } from '../../../support/material/der.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()
const leaf = authority.issue()
const rsa = authority.issue({ keyType: 'rsa-2048' })
const prime = createDiffieHellmanGroup('modp14').getPrime('hex')
const dhparam = pem('DH PARAMETERS', sequence(integer(BigInt(`0x${prime}`)), integer(2)))

test('a context that was built in steps serves both pairs, its parameters, its trust and its lists', async (t) => {
  const revoked = authority.issue()
  const plan = contextPlan({
    pairs: [leaf, rsa],
    anchors: [authority],
    crl: authority.crl({ revoked: [revoked.serial] }),
    dhparam,
  })
  const server = createEcho({ ...wholeOptions(plan), requestCert: true })
  pointAt(server, builtInSteps(plan).context)
  const port = await listen(t, server)
  const client = authority.issue()
  const known = {
    port,
    cert: client.certPem,
    key: client.keyPem,
    confirm: true,
    maxVersion: 'TLSv1.2',
  } as const
  const ecdsa = await handshake({ ...known, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })
  assert.equal(ecdsa.fingerprint256, leaf.fingerprint256)
  const dhe = await handshake({ ...known, ciphers: 'DHE-RSA-AES128-GCM-SHA256' })
  assert.equal(dhe.fingerprint256, rsa.fingerprint256)
  await assertRefused({ port })
  await assertRefused({ ...known, cert: revoked.certPem, key: revoked.keyPem })
})

test('trust anchors are added a few at a time, and every one of them counts', async (t) => {
  const anchors = [...manyAuthorities(9), authority]
  const plan = contextPlan({ pairs: [leaf], anchors })
  const { context, steps } = builtInSteps(plan)
  assert.ok(steps >= 5, `${steps} steps`)
  const server = createEcho({ ...wholeOptions(plan), requestCert: true })
  pointAt(server, context)
  const port = await listen(t, server)
  for (const anchor of [anchors[0], anchors[8], anchors[9]]) {
    const client = anchor?.issue()
    const certified = { cert: client?.certPem as string, key: client?.keyPem as string }
    await handshake({ port, ...certified, confirm: true })
  }
  const stranger = createAuthority().issue()
  await assertRefused({ port, cert: stranger.certPem, key: stranger.keyPem })
})

test('without trust anchors no step is spent on trust', () => {
  assert.equal(builtInSteps(contextPlan({ pairs: [leaf] })).steps, 3)
})

test('options for creating a server contain no private key', () => {
  const options = wholeOptions(contextPlan({ pairs: [leaf], anchors: [authority] }))
  const [, line] = leaf.keyPem.split('\n')
  for (const text of [inspect(options, { depth: 9 }), JSON.stringify(options)]) {
    assert.ok(!text.includes(line as string))
    assert.ok(!text.includes([...Buffer.from(line as string)].slice(10, 30).join(',')))
    assert.match(text, /private key/)
  }
  tls.createSecureContext(options)
})

test('options are complete: they contain only values of the generation', () => {
  assert.deepEqual(Object.keys(wholeOptions(contextPlan({ pairs: [leaf] }))).sort(), [
    'ca',
    'cert',
    'honorCipherOrder',
    'key',
    'sessionIdContext',
    'ticketKeys',
  ])
})

function builtInSteps(plan: ContextPlan): { context: tls.SecureContext; steps: number } {
  const build = buildContext(plan)
  for (let steps = 0; ; steps++) {
    const { done, value } = build.next()
    if (done) return { context: value, steps }
  }
}
