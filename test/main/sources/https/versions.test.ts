/* Versions, conditional requests and trust anchors. */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Delivery, HostDelivery } from '../../../../src/main/api/source.js'
import { createAuthority, type Leaf } from '../../../../support/material/certificates.js'
import { type Answer, bundle, pem, status } from '../../../../support/servers/material-service.js'
import { bundleOf, httpsSite } from '../../../../support/sources/https-site.js'

const authority = createAuthority()
const leaf = authority.issue({ names: ['a.example'] })

for (const etag of ['"1"', 'W/"2026-11-30"', `"${'x'.repeat(120)}"`]) {
  test(`an identity with the entity tag ${etag.slice(0, 20)} is unchanged after 304`, async (t) => {
    const { service, read, readHost } = await httpsSite(t, bundle(leaf, etag))
    const { version } = (await read()) as Delivery
    assert.equal(version, etag)
    assert.equal(await read(version), 'unchanged')
    assert.equal(service.requests.at(-1)?.headers['if-none-match'], etag)
    service.answer = bundle(leaf, '"3"')
    assert.equal(((await read(version)) as Delivery).version, '"3"')

    service.answer = bundle(leaf, etag)
    const host = (await readHost('a.example')) as HostDelivery
    assert.equal(host.version, etag)
    assert.equal(await readHost('a.example', etag), 'unchanged')
    assert.equal(service.requests.at(-1)?.headers['if-none-match'], etag)
  })
}

test('a version that this process did not receive is not sent, because its tag may mean something else here', async (t) => {
  const { service, read, readHost } = await httpsSite(t, bundle(leaf, '"1"'))
  assert.equal(bundleOf(await read('"1"')), leaf.keyPem + leaf.chainPem)
  assert.equal(bundleOf(await readHost('a.example', '"1"')), leaf.keyPem + leaf.chainPem)
  assert.equal(bundleOf(await readHost('b.example', '"1"')), leaf.keyPem + leaf.chainPem)
  assert.ok(service.requests.every(({ headers }) => headers['if-none-match'] === undefined))
})

test('304 for a version that was not sent is refused', async (t) => {
  const { service, read, refusal } = await httpsSite(t, bundle(leaf, '"1"'))
  await read()
  service.answer = status(304)
  assert.equal((await refusal(read('"0"'))).code, 'SOURCE_INVALID')
  assert.equal(await read('"1"'), 'unchanged')
})

test('without an entity tag, the version is the time and the digest of the public blocks', async (t) => {
  const modified = 'Mon, 30 Nov 2026 20:21:22 GMT'
  const { service, read } = await httpsSite(
    t,
    pem(leaf.keyPem + leaf.chainPem, { 'last-modified': modified }),
  )
  const { version } = (await read()) as Delivery
  assert.match(version, /^2026-11-30T20:21:22\.000Z;sha256:[0-9a-f]{64}$/)
  assert.equal(await read(version), 'unchanged')
  assert.equal(service.requests.at(-1)?.headers['if-none-match'], undefined)

  const versionOf = async (answer: Answer) => {
    service.answer = answer
    return ((await read()) as Delivery).version
  }
  const withKey = (key: string) => versionOf(pem(key + leaf.chainPem))
  const digest = await withKey(leaf.keyPem)
  assert.equal(digest, version.slice(version.indexOf('sha256')))
  assert.equal(await withKey(authority.issue().keyPem), digest, 'the digest must not depend on the key')
  assert.notEqual(await versionOf(bundle(authority.issue())), digest)
  for (const etag of ['unquoted', '"\u00e4"', `"${'x'.repeat(121)}"`, '"a b"']) {
    assert.equal(await versionOf(pem(leaf.keyPem + leaf.chainPem, { etag })), digest)
  }
})

test('trust anchors are a part of the delivery and of its version', async (t) => {
  const clients = createAuthority()
  let trust: Answer = pem(clients.certPem, { etag: '"t1"' })
  let identity: Answer = bundle(leaf, '"i1"')
  const answer: Answer = (request, response) =>
    (request.url === '/trust' ? trust : identity)(request, response)
  const source = (origin: string) => ({ trustUrl: `${origin}/trust` })
  const { service, read, refusal } = await httpsSite(t, answer, { source })
  const caOf = (delivery: Delivery | 'unchanged') =>
    Buffer.from((delivery as Delivery).ca?.[0] as Uint8Array).toString()

  const first = (await read()) as Delivery
  assert.equal(first.version, '"i1" "t1"')
  assert.equal(caOf(first), clients.certPem)
  assert.equal(await read(first.version), 'unchanged')

  // A change of one part delivers both, and an unchanged part costs no content.
  const successor = createAuthority()
  trust = pem(successor.certPem, { etag: '"t2"' })
  const second = (await read(first.version)) as Delivery
  assert.deepEqual(
    [second.version, caOf(second), bundleOf(second)],
    ['"i1" "t2"', successor.certPem, leaf.keyPem + leaf.chainPem],
  )
  const renewed: Leaf = authority.issue()
  identity = bundle(renewed, '"i2"')
  const third = (await read(second.version)) as Delivery
  assert.deepEqual(
    [third.version, caOf(third), bundleOf(third)],
    ['"i2" "t2"', successor.certPem, renewed.keyPem + renewed.chainPem],
  )
  assert.equal(service.requests.findLast(({ url }) => url === '/trust')?.headers['if-none-match'], '"t2"')

  for (const [broken, code] of [
    [status(204), 'SOURCE_INVALID'],
    [status(410), 'SOURCE_INVALID'],
    [status(503), 'SOURCE_UNREACHABLE'],
    [pem('nothing'), 'SOURCE_INVALID'],
  ] as const) {
    trust = broken
    const error = await refusal(read(third.version))
    assert.equal(error.code, code)
    assert.match(error.message, /the trust anchors/)
  }
  trust = pem(successor.certPem, { etag: '"t2"' })
  identity = status(503)
  assert.match((await refusal(read(third.version))).message, /the identity/)
})

test('delivered keys are overwritten after a minute, and when the source is closed', async (t) => {
  const { read, clock, source } = await httpsSite(t, bundle(leaf))
  const bytesOf = async () => ((await read()) as Delivery).pairs[0]?.bundle as Uint8Array
  const first = await bytesOf()
  await clock.advance(59_000)
  const second = await bytesOf()
  assert.ok(first.some((byte) => byte !== 0))
  await clock.advance(1000)
  assert.ok(first.every((byte) => byte === 0))
  assert.ok(second.some((byte) => byte !== 0))
  await source.close?.()
  assert.ok(second.every((byte) => byte === 0))
  assert.equal(clock.pending, 0)
})
