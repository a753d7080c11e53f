/*
 * Where an operator sees that something expired while it was served: control socket, command line, metrics, systemd, fleet
 * members.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'

import { shareEngine } from '../../../src/main/fleet/index.js'
import { openLink, threadChannel } from '../../../src/main/fleet/link.js'
import { LinkedMemberEngine } from '../../../src/main/fleet/linked-member-engine.js'
import type { ToPrimary } from '../../../src/main/fleet/messages.js'
import type { ExpiryNotice } from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { statusOf } from '../../../src/main/observe/systemd/status-text.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { seriesOf } from '../../../support/docs/exposition.js'
import { endingSite, expiredCodes, fromNow, passDays } from '../../../support/engine/ending-site.js'
import { assertApplied, recordEvents } from '../../../support/engine/engines.js'
import { putHost } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap } from '../../../support/processes/program.js'
import { controlledEngine, request } from '../../../support/servers/control.js'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

test('the control socket and the command line print what expires', async (t) => {
  const clock = fakeClock()
  const authority = createAuthority()
  const trust = tempDir(t)
  const [ca, crl] = [join(trust, 'ca.crt'), join(trust, 'list.crl')]
  writeFileSync(ca, authority.certPem)
  writeFileSync(crl, authority.crl())
  const controlled = await controlledEngine(t, { clock, engine: { ca, crl, requestCert: true } })
  const { socket, dir, files, engine, control } = controlled
  const before = (await request(socket, '/certs')).headers['etag']
  assert.equal((await request(socket, '/certs', { headers: { 'If-None-Match': before } })).status, 304)
  clock.setWall(8 * DAY)

  const status = await request(socket, '/status')
  const view = status.json as {
    warnings: { code: string; file: string }[]
    ends: Record<string, { not_after: string }>
  }
  const [warning] = view.warnings
  assert.deepEqual([warning?.code, warning?.file], ['CRL_EXPIRED', crl])
  assert.deepEqual(Object.keys(view.ends), ['leaf', 'chain', 'ca', 'crl', 'ocsp'])
  assert.match(
    (await request(socket, '/status', { headers: { Accept: 'text/plain' } })).text,
    /; CRL_EXPIRED: the revocation list of CN=/,
  )

  const certs = await request(socket, '/certs', { headers: { 'If-None-Match': before } })
  assert.equal(certs.status, 200, 'another answer than the one that the client has')
  assert.deepEqual(codesIn(certs.json), ['CRL_EXPIRED'])
  const tag = certs.headers['etag'] as string
  const post = { method: 'POST', headers: { 'If-Match': tag } }
  const unchanged = await request(socket, '/reload_certs', post)
  assert.equal(unchanged.status, 200, 'the entity tag still names the generation')
  assert.deepEqual(codesIn(unchanged.json), ['CRL_EXPIRED'])
  assert.deepEqual(codesIn((await request(socket, '/reload_certs?dry_run=1', post)).json), ['CRL_EXPIRED'])

  const run = (...args: string[]) => certswap([...args, '--control', socket], { cwd: dir })
  for (const args of [['status'], ['reload'], ['reload', '--dry-run']]) {
    const { code, stdout } = await run(...args)
    assert.equal(code, 0)
    assert.match(
      stdout,
      /warning +CRL_EXPIRED: the revocation list of CN=.* expired on .*; every client of its CA is refused/,
    )
  }
  writeFileSync(files.cert, 'not a certificate')
  const rejected = await run('reload')
  assert.equal(rejected.code, 1)
  assert.match(rejected.stderr, /CRL_EXPIRED/)
  assert.deepEqual(codesIn((await request(socket, '/reload_certs', { method: 'POST' })).json), [
    'CRL_EXPIRED',
  ])
  assert.match(statusOf(engine.status()), /CRL_EXPIRED: the revocation list of CN=.*serving generation 1/)
  await control.close()
})

test('there is a gauge for the first expiry of each kind, and one for its lifetime', async (t) => {
  const clock = fakeClock()
  const site = await endingSite(t, { clock, chainEnds: 30 * DAY, caEnds: 20 * DAY })
  putHost(site.dir, site.intermediate, 'a.test', { notAfter: fromNow(10 * DAY) })
  assertApplied(await site.engine.update({ hosts: join(site.dir, 'hosts', '*') }))
  const metrics = createMetrics(site.engine)
  t.after(() => metrics.close())
  const series = seriesOf(await metrics.text())
  const daysOf = (name: string, context = 'default') => {
    const end = series.get(`certswap_${name}{context="${context}"}`) as number
    return Math.round((end - Date.now() / 1000) / 86_400)
  }
  assert.equal(daysOf('certificate_not_after_timestamp_seconds'), 90)
  assert.equal(daysOf('certificate_chain_not_after_timestamp_seconds'), 30)
  assert.equal(daysOf('trust_anchor_not_after_timestamp_seconds'), 20)
  assert.equal(daysOf('crl_next_update_timestamp_seconds'), 7)
  assert.equal(daysOf('certificate_not_after_timestamp_seconds', 'hosts'), 10)
  assert.equal(daysOf('certificate_chain_not_after_timestamp_seconds', 'hosts'), 10)
  const lifeOf = (name: string) =>
    Math.round((series.get(`certswap_${name}{context="default"}`) as number) / 86_400)
  assert.equal(lifeOf('crl_lifetime_seconds'), 7)
  assert.equal(lifeOf('certificate_lifetime_seconds'), 90)
  // Without trust there is no series: 0 would be an expiry in 1970.
  const plain = createMetrics((await controlledEngine(t)).engine)
  t.after(() => plain.close())
  const without = await plain.text()
  assert.doesNotMatch(without, /^certswap_(crl|trust_anchor)_\w+[{ ]/m)
})

test('an SNI host whose certificate expires is named, also if another host expired before it', async (t) => {
  const clock = fakeClock()
  const site = await endingSite(t, { clock, crl: false })
  putHost(site.dir, site.authority, 'a.test', { notAfter: fromNow(10 * DAY) })
  putHost(site.dir, site.authority, 'b.test', { notAfter: fromNow(20 * DAY) })
  assertApplied(await site.engine.update({ hosts: join(site.dir, 'hosts', '*') }))
  const notices = recordEvents(site.engine, 'expiring')
  await passDays(clock, 11)
  await passDays(clock, 10)
  const ended = notices.filter(({ leftMs }) => leftMs <= 0)
  assert.deepEqual(
    ended.map(({ host }) => host?.split('/').at(-1)),
    ['a.test', 'b.test'],
  )
  const [warning] = (await site.engine.reload()).warnings
  assert.match(warning?.message ?? '', /^2 served certificates have expired: .*a\.test \(.*b\.test/)
  putHost(site.dir, site.authority, 'a.test', { notAfter: fromNow(200 * DAY) })
  const [left] = (await site.engine.reload()).warnings
  assert.equal(left?.host, join(site.dir, 'hosts', 'b.test'))
})

test('the warning of a host is not lost when another host expires whose name contains the name of the first', async (t) => {
  const clock = fakeClock()
  const site = await endingSite(t, { clock, crl: false })
  const { dir, authority, engine } = site
  const old = authority.issueAuthority({ notBefore: fromNow(-20 * DAY), notAfter: fromNow(-DAY) })
  const leaf = putHost(dir, authority, 'a.test', { notAfter: fromNow(90 * DAY) })
  writePair(join(dir, 'hosts', 'a.test'), { ...leaf, chainPem: leaf.certPem + old.certPem })
  for (const name of ['a.test2', 'a.test3']) putHost(dir, authority, name, { notAfter: fromNow(10 * DAY) })
  assertApplied(await engine.update({ hosts: join(dir, 'hosts', '*') }))
  const isLeftOut = ({ code, message }: { code: string; message: string }) =>
    code === 'CERT_EXPIRED' && /leave it out of the file/.test(message)
  assert.equal(engine.status().warnings.filter(isLeftOut).length, 1)
  clock.setWall(11 * DAY)
  const { warnings } = engine.status()
  assert.equal(warnings.filter(isLeftOut).length, 1)
  assert.match(
    warnings.find(({ message }) => message.startsWith('2 served'))?.message ?? '',
    /a\.test2 \(.*a\.test3 \(/,
  )
})

test('a fleet member shows what has expired, and logs it once after its primary has ended', async (t) => {
  const clock = fakeClock()
  const site = await endingSite(t, { clock })
  const shared = shareEngine(site.engine)
  const { port1, port2 } = new MessageChannel()
  shared.add(port1)
  const logger = recordingLogger()
  const member = await new LinkedMemberEngine(
    openLink<ToPrimary>(threadChannel(port2), 'default'),
    logger,
    clock,
  ).join(process.pid, 10_000)
  t.after(() => member.close())
  const notices: ExpiryNotice[] = []
  member.on('expiring', (notice) => notices.push(notice))
  clock.setWall(8 * DAY)
  assert.deepEqual(expiredCodes(member.status().warnings), ['CRL_EXPIRED'])
  assert.deepEqual(expiredCodes(member.status().generation.warnings), ['CRL_EXPIRED'])
  await clock.advance(MINUTE)
  assert.deepEqual([notices.at(-1)?.kind, logger.takeLines()], ['crl', []])
  const orphaned = new Promise<void>((resolve) => member.on('orphaned', () => resolve()))
  shared.close()
  await orphaned
  clock.setWall(90 * DAY)
  await clock.advance(MINUTE)
  assert.ok(logger.takeLines().includes('error the served certificate has expired; clients refuse it'))
})

function codesIn(json: unknown): string[] {
  return expiredCodes((json as { warnings: { code: string }[] }).warnings)
}
