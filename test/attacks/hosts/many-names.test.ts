/*
 * A certificate may hold thousands of names, and a name may be as long as a file. The work of a renewal grows linearly with
 * both.
 */

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test } from 'node:test'

import { verifyTargets } from '../../../src/main/attach/verify-targets.js'
import { toPrimaryOf } from '../../../src/main/fleet/incoming.js'
import type { Snapshot } from '../../../src/main/generation/generation.js'
import { HostTable } from '../../../src/main/generation/host-table.js'
import { namesLost } from '../../../src/workers/judge/judge.js'
import { factsOf } from '../../../src/workers/parse/facts.js'
import { startEngine } from '../../../support/engine/engines.js'
import { hostSite } from '../../../support/engine/host-site.js'
import { certificateFacts } from '../../../support/engine/pass-reports.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const authority = createAuthority()
const MANY = 1_500

test('a renewal that replaces 1,500 names with 1,500 others is applied, and its warning lists ten of them', async (t) => {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, withNames('before')))
  writePair(dir, withNames('after'))
  const { outcome, diff, warnings } = await engine.reload()
  assert.equal(outcome, 'applied')
  assert.equal(diff?.namesLost.length, MANY)
  const lost = warnings.find(({ code }) => code === 'NAMES_LOST')
  assert.match(lost?.message ?? '', /before9\.example\.test and 1490 more$/)
})

test('the names of a certificate are read once for any number of comparisons', (t) => {
  const [before, after] = [withNames('before'), withNames('after')].map(
    ({ certPem }) => new X509Certificate(certPem),
  ) as [X509Certificate, X509Certificate]
  const served = factsOf([before])
  const { get } = Object.getOwnPropertyDescriptor(X509Certificate.prototype, 'subjectAltName') as {
    get: () => string
  }
  let reads = 0
  t.mock.getter(X509Certificate.prototype, 'subjectAltName', function (this: X509Certificate) {
    reads++
    return get.call(this)
  })
  const checks = t.mock.method(X509Certificate.prototype, 'checkHost')
  assert.equal(namesLost(after, served).length, MANY)
  assert.deepEqual({ reads, checks: checks.mock.callCount() }, { reads: 1, checks: 0 })
})

test('a name of 90,000 characters in a host certificate delays neither the event loop nor another host', async (t) => {
  const site = await hostSite(t, { 'a.test': {} })
  // The underscore comes last, so a pattern that backtracks at each letter is slow before it fails.
  site.put('b.test', { names: [`${'a'.repeat(90_000)}_`, 'b.test'] })
  const renewed = site.put('a.test')
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const { outcome, problems } = await site.engine.reload()
  delay.disable()
  assert.deepEqual({ outcome, problems }, { outcome: 'applied', problems: [] })
  assert.equal(await site.shown('a.test'), renewed.fingerprint256)
  // Backtracking at each letter would take more than ten seconds.
  assert.ok(delay.max < 3e9, `the event loop was blocked for ${delay.max / 1e6} ms`)
})

test('names that a fleet member passed to addContext are compared in time, however many wildcards they hold', () => {
  const names = ['a'.repeat(60)]
  const alike = `${'*a'.repeat(30)}*b`
  const message = { ...REPORT, listeners: [{ ...LISTENER, addedNames: [alike, '*'] }] }
  const received = toPrimaryOf({ kind: 'report', report: message })
  assert.ok(received?.kind === 'report')
  const certificates = [certificateFacts({ names })]
  const snapshot = { generation: { certificates }, hosts: HostTable.empty } as unknown as Snapshot
  const targets = verifyTargets(received.report.listeners, snapshot, [])
  assert.deepEqual(
    targets.map(({ address: { servername } }) => servername),
    [undefined, ...names],
  )
})

const REPORT = {
  generation: 1,
  servers: 1,
  connections: {},
  policies: [],
  refusedPeers: { PEER_NOT_ALLOWED: 0, TRUST_DOMAIN: 0 },
}
const LISTENER = { port: 1, alpn: [], showsHosts: false, ownCallback: false }

function withNames(prefix: string) {
  return authority.issue({ names: Array.from({ length: MANY }, (_, i) => `${prefix}${i}.example.test`) })
}
