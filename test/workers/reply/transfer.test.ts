import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'

import { transferableSymbol, valueSymbol } from 'piscina'

import { exact } from '../../../src/workers/base/exact.js'
import { packTrustEnds } from '../../../src/workers/protocol/ends.js'
import type { PreparedReply, UnchangedReply } from '../../../src/workers/protocol/prepare.js'
import { keyPem, transferReply } from '../../../src/workers/reply/transfer.js'
import { keyPair } from '../../../support/material/keys.js'

const keys: Record<string, KeyObject> = {
  'EC P-256': keyPair('ec').privateKey,
  'EC P-384': keyPair('ec-p384').privateKey,
  'EC P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  'EC secp256k1': generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey,
  'RSA 1024': keyPair('rsa-1024').privateKey,
  'RSA 2048': keyPair('rsa-2048').privateKey,
  'RSA-PSS 2048': keyPair('rsa-pss').privateKey,
  Ed25519: keyPair('ed25519').privateKey,
  Ed448: generateKeyPairSync('ed448').privateKey,
  X25519: generateKeyPairSync('x25519').privateKey,
}

for (const [name, key] of Object.entries(keys)) {
  test(`the PEM of a key of ${name} equals OpenSSL's output, in a buffer of exactly its size`, () => {
    const pem = keyPem({ object: key, plain: null })
    assert.equal(Buffer.from(pem).toString(), key.export({ type: 'pkcs8', format: 'pem' }))
    assert.equal(pem.byteLength, pem.buffer.byteLength)
    assert.ok(createPublicKey(key).equals(createPublicKey(createPrivateKey(Buffer.from(pem)))))
  })
}

test('unencrypted PKCS#8 is transferred as in its file, in a buffer of exactly its size', () => {
  const { privateKey } = keyPair()
  const plain = String(privateKey.export({ type: 'pkcs8', format: 'pem' })).replace(/\n(?!-)/g, ' \n')
  const pem = keyPem({ object: privateKey, plain })
  assert.equal(Buffer.from(pem).toString(), plain)
  assert.equal(pem.byteLength, pem.buffer.byteLength)
})

test('text is copied into a buffer of exactly its size', () => {
  for (const text of ['', 'a', 'CN=Zoë 🔑', 'x'.repeat(10_000)]) {
    const bytes = exact(text)
    assert.equal(Buffer.from(bytes).toString(), text)
    assert.equal(bytes.byteLength, bytes.buffer.byteLength)
  }
})

test('material is returned with every buffer in the transfer list', () => {
  const [chain, key, ca] = [exact('chain'), exact('key'), exact('ca')]
  const [crl, dhparam, ticketSecret] = [exact('crl'), exact('dhparam'), exact('secret')]
  const ends = Uint32Array.of(2)
  const label = { name: 'CN=CA', fingerprint256: 'AB:CD', from: 0, to: 1 }
  const trustEnds = packTrustEnds([label], [])
  const trust = { authorities: { pem: ca, ends }, revocationLists: [crl], ends: trustEnds, problems: [] }
  const reply = replyWith({ pairs: [{ chain, key }], trust, dhparam, ticketSecret })
  const moved = handedOver(reply)
  assert.equal(moved.value, reply)
  assert.deepEqual(
    new Set(moved.buffers),
    new Set([
      chain.buffer,
      key.buffer,
      crl.buffer,
      ca.buffer,
      ends.buffer,
      trustEnds.dates.buffer,
      trustEnds.labels.buffer,
      dhparam.buffer,
      ticketSecret.buffer,
    ]),
  )
})

test('trust that is served already is not sent again', () => {
  const [chain, key] = [exact('chain'), exact('key')]
  const reply = replyWith({ pairs: [{ chain, key }], trust: 'served', dhparam: null, ticketSecret: null })
  assert.deepEqual(handedOver(reply).buffers, [chain.buffer, key.buffer])
})

test('an engine without trust anchors transfers no buffer for them', () => {
  const reply = replyWith({
    pairs: [],
    trust: { authorities: null, revocationLists: [], ends: packTrustEnds([], []), problems: [] },
    dhparam: null,
    ticketSecret: null,
  })
  assert.deepEqual(handedOver(reply).buffers, [])
})

test('a reply without material is returned unchanged', () => {
  const reply: UnchangedReply = { kind: 'unchanged', record: null }
  assert.equal(transferReply(reply), reply)
})

function replyWith(material: PreparedReply['material']): PreparedReply {
  return {
    kind: 'prepared',
    material,
    rolledBack: null,
    record: { head: exact('{}'), trust: exact('{}'), authorities: exact('[]'), peerRules: null },
    certificates: [],
    trust: { digest: null, authorities: 0, revocationLists: 0 },
    warnings: [],
    changed: [],
    diff: null,
  }
}

/** Piscina's view of it. */
function handedOver(reply: PreparedReply): { value: unknown; buffers: ArrayBuffer[] } {
  const moved = transferReply(reply) as unknown as Record<symbol, unknown>
  return { value: moved[valueSymbol], buffers: moved[transferableSymbol] as ArrayBuffer[] }
}
