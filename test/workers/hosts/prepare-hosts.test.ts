import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'

import { PackedHost } from '../../../src/main/generation/packed-host.js'
import { fromSharedJson, toSharedJson } from '../../../src/workers/base/shared-json.js'
import type { HostSource } from '../../../src/workers/protocol/hosts.js'
import { putHost } from '../../../support/engine/host-site.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type LeafOptions } from '../../../support/material/certificates.js'
import { hostTask, preparedHosts, prepareHostsHere } from '../../../support/worker/tasks-here.js'

const authority = createAuthority()

test('the pairs of a batch are transferred in one buffer, each at the place that its host gives', async (t) => {
  const dir = tempDir(t)
  const leaves = ['a.test', 'b.test', 'c.test'].map((name) => putHost(dir, authority, name))
  const { replies } = await preparedHosts(hostTask(join(dir, 'hosts', '*')))
  assert.equal(replies.length, 1)
  const [{ pack, ends, dates, hosts, rest, failureDigest }] = replies as [(typeof replies)[number]]
  assert.deepEqual([rest, failureDigest], [null, ''])
  hosts.forEach((host, i) => {
    const leaf = leaves[i] as (typeof leaves)[number]
    const { names, facts, pair } = new PackedHost(host, { pack, ends, dates }, i)
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
    assert.deepEqual([names, facts.fingerprint256], [[`${'abc'[i]}.test`], leaf.fingerprint256])
    assert.deepEqual([host.notAfter, host.keyType], [facts.notAfter, facts.keyType])
    assert.equal(text(pair.chain).trim(), leaf.chainPem.trim())
    assert.equal(text(pair.key).replaceAll(/\s/g, ''), leaf.keyPem.replaceAll(/\s/g, ''))
  })
  assert.equal(ends[ends.length - 1], pack.length)
})

test('a refused host is named and affects no other; its state changes with its files', async (t) => {
  const dir = tempDir(t)
  putHost(dir, authority, 'a.test')
  putHost(dir, authority, 'b.test')
  const key = join(dir, 'hosts', 'b.test', 'tls.key')
  writeFileSync(key, 'nothing')
  const task = hostTask(join(dir, 'hosts', '*'))
  const state = async () => {
    const { replies } = await preparedHosts(task)
    assert.deepEqual(
      replies.flatMap(({ hosts, problems }) => [
        hosts.length,
        ...problems.map(({ code, host }) => [code, host]),
      ]),
      [1, ['KEY_MISSING', join(dir, 'hosts', 'b.test')]],
    )
    return replies[0]?.failureDigest
  }
  const before = await state()
  assert.equal(await state(), before)
  writeFileSync(key, 'another nothing')
  assert.notEqual(await state(), before)
})

test('only DNS names are served: an address cannot be requested by SNI', async (t) => {
  const dir = tempDir(t)
  putHost(dir, authority, 'h', { names: ['a.test', '*.b.test'], ips: ['192.0.2.1', '2001:db8::1'] })
  const { replies } = await preparedHosts(hostTask(join(dir, 'hosts', '*')))
  assert.deepEqual(replies[0]?.hosts[0]?.names, ['a.test', '*.b.test'])
})

test('a host with equivalent bytes is not sent again, and is recognized from then on', async (t) => {
  const dir = tempDir(t)
  const leaf = putHost(dir, authority, 'a.test')
  const task = hostTask(join(dir, 'hosts', '*'))
  const first = await preparedHosts(task)
  writeFileSync(join(dir, 'hosts', 'a.test', 'tls.crt'), `# renewed\n${leaf.chainPem}`)
  const second = await preparedHosts({ ...task, record: first.record })
  assert.deepEqual(
    second.replies.map(({ hosts }) => hosts.length),
    [0],
  )
  assert.equal((await preparedHosts({ ...task, record: second.record })).replies.length, 0)
})

test('a key that every user may read is a warning with the name of its host', async (t) => {
  const dir = tempDir(t)
  putHost(dir, authority, 'a.test')
  chmodSync(join(dir, 'hosts', 'a.test', 'tls.key'), 0o644)
  const { replies } = await preparedHosts(hostTask(join(dir, 'hosts', '*')))
  const warnings = replies
    .flatMap(({ warnings }) => warnings)
    .filter(({ code }) => code === 'KEY_PERMISSIONS')
  assert.deepEqual(
    warnings.map(({ host }) => host),
    [join(dir, 'hosts', 'a.test')],
  )
})

test('a batch of slow keys is cut, and the rest is handed back', async (t) => {
  const dir = tempDir(t)
  const hosts = ['a.test', 'b.test', 'c.test'].map((name): HostSource => {
    putHost(dir, authority, name)
    const at = join(dir, 'hosts', name)
    return { id: name, cert: join(at, 'tls.crt'), key: join(at, 'tls.key'), name: null }
  })
  const real = performance.now
  t.after(() => {
    performance.now = real
  })
  let calls = 0
  // Each host takes a simulated second and a half.
  performance.now = () => 1500 * calls++
  const reply = await prepareHostsHere(toSharedJson(hosts), hostTask('unused'))
  assert.equal(reply.hosts.length, 1)
  assert.deepEqual(
    fromSharedJson<HostSource[]>(reply.rest as Uint8Array).map(({ id }) => id),
    ['b.test', 'c.test'],
  )
})

test('a host with a key that the TLS options refuse is itself refused', async (t) => {
  const dir = tempDir(t)
  putHost(dir, authority, 'a.test')
  putHost(dir, authority, 'b.test', { signatureHash: 'sha1' })
  const { replies } = await preparedHosts(hostTask(join(dir, 'hosts', '*')))
  const problems = replies.flatMap(({ problems }) => problems)
  assert.deepEqual(
    problems.map(({ code, host }) => [code, host]),
    [['KEY_TOO_WEAK', join(dir, 'hosts', 'b.test')]],
  )
})

test('OpenSSL loads one of many similar hosts, and each that is different', async (t) => {
  const loads = async (...others: LeafOptions[]) => {
    const dir = tempDir(t)
    for (let i = 0; i < 5; i++) putHost(dir, authority, `h${i}.test`)
    others.forEach((options, i) => {
      putHost(dir, authority, `other${i}.test`, options)
    })
    const load = t.mock.method(tls, 'createSecureContext')
    const { replies } = await preparedHosts(hostTask(join(dir, 'hosts', '*')))
    load.mock.restore()
    assert.equal(replies[0]?.hosts.length, 5 + others.length)
    return load.mock.callCount()
  }
  // Contexts of the rehearsing clients are kept.
  await loads()
  const alike = await loads()
  assert.ok(alike < 5, `${alike} contexts`)
  assert.equal(await loads({ signatureHash: 'sha384' }), alike + 1)
})
