/*
 * Workers of one service never disagree. If each process reloads by itself, clients flip between certificates (harper#586) or
 * see a new certificate with an old key (harper#1409).
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { assertRefused } from '../../../support/clients/refusal.js'
import { type HandshakeOptions, handshake } from '../../../support/clients/tls-client.js'
import { assertApplied } from '../../../support/engine/engines.js'
import { putHost } from '../../../support/engine/host-site.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type ClusterSite, clusterSite } from '../../../support/fleet/cluster-site.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { suspend } from '../../../support/processes/suspend.js'

const authority = createAuthority()

for (const serialization of ['json', 'advanced'] as const) {
  test(`every worker serves a reloaded certificate once the reload is answered, with ${serialization} messages`, async (t) => {
    const { site, rotate, first } = await fleet(t, 3, { serialization })
    assert.deepEqual(await shown(site, 6), new Set([first.fingerprint256]))
    const leaf = rotate()
    const result = await site.reload()
    assertApplied(result)
    assert.deepEqual(result.members.map(({ pid, outcome }) => [pid, outcome]).sort(), applied(site.pids))
    assert.deepEqual(await shown(site, 12), new Set([leaf.fingerprint256]))
    const back = await site.rollback()
    assert.deepEqual([back.outcome, back.members.length], ['applied', 3])
    assert.deepEqual(await shown(site, 12), new Set([first.fingerprint256]))
  })
}

test('sessions of one worker are resumed at every other, also after a renewal', async (t) => {
  const { site, rotate } = await fleet(t, 3)
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const only = { port: site.port, minVersion: version, maxVersion: version }
    const { session } = await handshake(only)
    for (let i = 0; i < 6; i++) assert.equal((await handshake({ ...only, session })).reused, true)
    rotate()
    assertApplied(await site.reload())
    for (let i = 0; i < 6; i++) assert.equal((await handshake({ ...only, session })).reused, true)
  }
})

test('a removed CA is refused by every worker at once', async (t) => {
  const [a, b] = [createAuthority(), createAuthority()]
  const dir = tempDir(t)
  const ca = join(dir, 'ca.pem')
  overwriteInPlace(ca, a.certPem + b.certPem)
  const { site } = await fleet(t, 3, { engine: { ca, requestCert: true } })
  const [clientA, clientB] = [a, b].map((issuer) => {
    const { certPem: cert, keyPem: key } = issuer.issue({ extendedKeyUsage: 'client' })
    return { port: site.port, cert, key, confirm: true }
  }) as [HandshakeOptions, HandshakeOptions]
  const { session } = await handshake(clientA)
  overwriteInPlace(ca, b.certPem)
  assertApplied(await site.reload())
  for (let i = 0; i < 6; i++) {
    await assertRefused({ ...clientA, session })
    await handshake(clientB)
  }
})

test('a worker that starts later serves the current generation from its first handshake on', async (t) => {
  const { site, rotate } = await fleet(t, 1)
  const leaf = rotate()
  assertApplied(await site.reload())
  await site.fork()
  assert.deepEqual(await shown(site, 6), new Set([leaf.fingerprint256]))
  const next = rotate()
  assert.equal((await site.reload()).members.length, 2)
  assert.deepEqual(await shown(site, 6), new Set([next.fingerprint256]))
})

test('a worker that does not answer in time keeps the whole fleet on the old generation, and catches up later', async (t) => {
  const { site, rotate, first } = await fleet(t, 2, { timeoutMs: 2_000 })
  const leaf = rotate()
  const [pid = 0] = site.pids
  suspend(pid)
  const { outcome, problems } = await site.reload().finally(() => process.kill(pid, 'SIGCONT'))
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['MEMBER_TIMEOUT']])
  assert.match(problems[0]?.message ?? '', new RegExp(`pid ${pid}`))
  assert.deepEqual(await shown(site, 6), new Set([first.fingerprint256]))
  assertApplied(await site.reload())
  assert.deepEqual(await shown(site, 6), new Set([leaf.fingerprint256]))
})

test('a worker that is killed causes no delay, and is missing from the next result', async (t) => {
  const { site, rotate } = await fleet(t, 3)
  rotate()
  await site.kill(site.pids[0] as number)
  const result = await site.reload()
  assertApplied(result)
  assert.ok(result.members.filter(({ outcome }) => outcome === 'applied').length === 2)
  rotate()
  assert.equal((await site.reload()).members.length, 2)
})

test('files that are rejected are rejected for all workers, and status() lists every worker', async (t) => {
  const { site, dir, first } = await fleet(t, 2)
  writeFileSync(join(dir, 'tls.crt'), 'nothing')
  assert.equal((await site.reload()).outcome, 'rejected')
  assert.deepEqual(await shown(site, 4), new Set([first.fingerprint256]))
  const { members, generation } = await site.status()
  assert.deepEqual(
    members.map(({ pid, generation, servers }) => [pid, generation, servers]).sort(),
    site.pids.map((pid) => [pid, generation.number, 1]).sort(),
  )
})

test('SNI hosts reach every worker, and so does a changed host', async (t) => {
  const dir = tempDir(t)
  const names = Array.from({ length: 150 }, (_, i) => `h${i}.test`)
  for (const name of names) putHost(dir, authority, name)
  const { site } = await fleet(t, 2, { engine: { hosts: join(dir, 'hosts', '*') } })
  const servedTo = async (servername: string) => await shown(site, 4, servername)
  assert.equal((await servedTo('h149.test')).size, 1)
  const renewed = putHost(dir, authority, 'h7.test')
  assertApplied(await site.reload())
  assert.deepEqual(await servedTo('h7.test'), new Set([renewed.fingerprint256]))
  await site.fork()
  assert.deepEqual(await servedTo('h7.test'), new Set([renewed.fingerprint256]))
})

interface FleetOptions {
  readonly serialization?: 'json' | 'advanced'
  readonly timeoutMs?: number
  readonly engine?: object
}

async function fleet(
  t: TestContext,
  workers: number,
  { serialization = 'json', timeoutMs, engine }: FleetOptions = {},
) {
  const dir = tempDir(t)
  const first = authority.issue()
  const pair = writePair(dir, first)
  const site = await clusterSite(t, {
    ...{ workers, serialization, engine: { ...pair, ...engine } },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
  const rotate = (): Leaf => {
    const leaf = authority.issue()
    writePair(dir, leaf)
    return leaf
  }
  return { site, dir, first, rotate }
}

/** The certificates that so many clients see, one after the other: connections are distributed over all workers. */
async function shown(
  { port }: ClusterSite,
  clients: number,
  servername = 'localhost',
): Promise<Set<string | undefined>> {
  const seen = new Set<string | undefined>()
  for (let i = 0; i < clients; i++) seen.add((await handshake({ port, servername })).fingerprint256)
  return seen
}

function applied(pids: readonly number[]): [number, string][] {
  return pids.map((pid): [number, string] => [pid, 'applied']).sort()
}
