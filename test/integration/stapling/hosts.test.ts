import assert from 'node:assert/strict'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { mixesKeyTypes } from '../../../src/main/generation/native-context.js'
import type { ReloadEngine } from '../../../src/main/index.js'
import { fingerprintOf, stapled } from '../../../support/clients/stapled.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { createAuthority, type Leaf, type LeafOptions } from '../../../support/material/certificates.js'
import { ocspResponse } from '../../../support/material/ocsp-response.js'

const authority = createAuthority({ parent: createAuthority() })
const NEXT = new Date(Date.now() + 86_400_000)

for (const [layout, cert, key, ocsp] of [
  ['cert-manager', 'tls.crt', 'tls.key', 'ocsp.der'],
  ['dehydrated', 'fullchain.pem', 'privkey.pem', 'ocsp.der'],
  ['HAProxy', 'a.example.pem', 'a.example.key', 'a.example.pem.ocsp'],
] as const) {
  test(`a host in the layout of ${layout} has its response stapled, and reloads it`, async (t) => {
    const { engine, put, assertShown, dir } = await setUp(t)
    const files = { cert, key }
    const leaf = put('a.example', {}, files)
    const file = join(dir, 'hosts', 'a.example', ocsp)
    const first = ocspResponse(leaf, authority)
    renameInto(file, first)
    assertApplied(await engine.reload())
    await assertShown('a.example', leaf, first)
    assert.equal((await engine.reload()).outcome, 'unchanged')
    // The renewal arrives before its response.
    const next = put('a.example', {}, files)
    const result = await engine.reload()
    assertApplied(result)
    assert.deepEqual(
      result.warnings.map(({ code, host }) => [code, host]),
      [['OCSP_MISMATCH', join(dir, 'hosts', 'a.example')]],
    )
    await assertShown('a.example', next, null)
    const response = ocspResponse(next, authority, { nextUpdate: NEXT })
    renameInto(file, response)
    assertApplied(await engine.reload())
    await assertShown('a.example', next, response)
    rmSync(file)
    assertApplied(await engine.reload())
    await assertShown('a.example', next, null)
  })
}

test('each host staples its own response, and so does the default certificate', async (t) => {
  const { engine, put, respond, assertShown, first, dir } = await setUp(t)
  const hosts = ['a.example', 'b.example', 'c.example'].map((name) => [name, put(name)] as const)
  const responses = new Map(hosts.slice(0, 2).map(([name, leaf]) => [name, respond(name, leaf)]))
  const own = ocspResponse(first, authority)
  renameInto(join(dir, 'ocsp.der'), own)
  assertApplied(await engine.update({ ocsp: join(dir, 'ocsp.der') }))
  for (const [name, leaf] of hosts) await assertShown(name, leaf, responses.get(name) ?? null)
  await assertShown('localhost', first, own)
  await assertShown('unknown.example', first, own)
})

test('a named host staples the response of its option', async (t) => {
  const { engine, put, respond, assertShown, dir } = await setUp(t)
  const leaf = put('a.example')
  const response = respond('a.example', leaf)
  const host = join(dir, 'hosts', 'a.example')
  const files = { cert: join(host, 'tls.crt'), key: join(host, 'tls.key'), ocsp: join(host, 'ocsp.der') }
  assertApplied(await engine.update({ hosts: { 'a.example': files } }))
  await assertShown('a.example', leaf, response)
})

test('a host whose response has the status revoked keeps its last certificate', async (t) => {
  const { engine, put, respond, assertShown, dir } = await setUp(t)
  const leaf = put('a.example')
  const response = respond('a.example', leaf)
  assertApplied(await engine.reload())
  const next = put('a.example')
  renameInto(
    join(dir, 'hosts', 'a.example', 'ocsp.der'),
    ocspResponse(next, authority, { status: 'revoked' }),
  )
  const { problems } = await engine.reload()
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['OCSP_REVOKED'],
  )
  await assertShown('a.example', leaf, response)
})

test('fleet members staple the responses of hosts, and a rollback restores them', async (t) => {
  const { engine, put, respond, assertShown } = await setUp(t)
  const leaf = put('a.example')
  const response = respond('a.example', leaf)
  assertApplied(await engine.reload())
  const member = await joinHere(t, engine)
  const port = await serveEcho(t, member as unknown as ReloadEngine)
  await assertShown('a.example', leaf, response, port)
  const next = put('a.example')
  const newer = respond('a.example', next)
  assertApplied(await engine.reload())
  await assertShown('a.example', next, newer, port)
  assertApplied(await engine.rollback())
  await assertShown('a.example', leaf, response, port)
})

test('a host with another key type than the default one is stapled only if Node shows its certificate for sure', async (t) => {
  const { engine, put, respond, assertShown } = await setUp(t)
  const leaf = put('a.example', { keyType: 'rsa-2048' })
  const response = respond('a.example', leaf)
  assertApplied(await engine.reload())
  if (mixesKeyTypes()) {
    const seen = await stapled(await portOf(t, engine), { servername: 'a.example' })
    assert.equal(seen.response, null)
  } else await assertShown('a.example', leaf, response)
})

async function portOf(t: TestContext, engine: ReloadEngine): Promise<number> {
  return await serveEcho(t, engine)
}

async function setUp(t: TestContext) {
  const dir = tempDir(t)
  const first = authority.issue()
  const engine = await startEngine(t, { ...writePair(dir, first), hosts: join(dir, 'hosts', '*') })
  const port = await serveEcho(t, engine)
  const put = (
    name: string,
    leafOptions: LeafOptions = {},
    files = { cert: 'tls.crt', key: 'tls.key' },
  ): Leaf => {
    const leaf = authority.issue({ names: [name], ...leafOptions })
    const host = join(dir, 'hosts', name)
    mkdirSync(host, { recursive: true })
    writePair(host, leaf, files)
    return leaf
  }
  const respond = (name: string, leaf: Leaf): Buffer => {
    const response = ocspResponse(leaf, authority)
    renameInto(join(dir, 'hosts', name, 'ocsp.der'), response)
    return response
  }
  const assertShown = async (servername: string, leaf: Leaf, response: Buffer | null, at = port) => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const seen = await stapled(at, { servername, maxVersion })
      assert.equal(seen.leaf, leaf.fingerprint256)
      assert.deepEqual(seen.response && fingerprintOf(seen.response), response && fingerprintOf(response))
    }
  }
  return { dir, engine, first, put, respond, assertShown }
}
