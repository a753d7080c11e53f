/*
 * Material that expires while it is served. A revocation list that passed its nextUpdate, or a client CA that expired, made the
 * server refuse every client while `reload()` returned `unchanged` without a warning and nothing was logged.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'

import { eventually } from '../../../support/base/eventually.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { endingSite, expiredCodes, fromNow, passDays } from '../../../support/engine/ending-site.js'
import { assertApplied, nextEvent, recordEvents, serveEcho } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { createAuthority } from '../../../support/material/certificates.js'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

test('when a revocation list expires while it is served, its clients are refused and the engine reports it', async (t) => {
  const { engine, authority, logger, crl } = await endingSite(t, { clock: null })
  const client = authority.issue({ names: ['client'] })
  const port = await serveEcho(t, engine)
  const connect = () =>
    handshake({ port, cert: client.chainPem, key: client.keyPem, ca: authority.certPem, confirm: true })
  await connect()
  const ended = nextEvent(engine, 'expiring', ({ kind, leftMs }) => kind === 'crl' && leftMs <= 0)
  // A list that expires while it is served: on a busy machine, it may have expired before it is read.
  for (let lifeMs = 1_000; ; lifeMs *= 2) {
    writeFileSync(crl, authority.crl({ nextUpdate: fromNow(lifeMs) }))
    if ((await engine.reload()).outcome === 'applied') break
  }
  logger.takeLines()
  const notice = await ended
  // OpenSSL reads a coarser clock, which can be some milliseconds behind.
  await eventually('the client is refused', async () => {
    const error: unknown = await connect().then(
      () => null,
      (reason: unknown) => reason,
    )
    return error !== null
  })
  assert.deepEqual([notice.name, notice.path, notice.thresholdDays], [`CN=${authority.name}`, crl, 0])
  const result = await engine.reload()
  assert.deepEqual([result.outcome, expiredCodes(result.warnings)], ['unchanged', ['CRL_EXPIRED']])
  const errors = logger.lines.filter(({ level }) => level === 'error').map(({ message }) => message)
  assert.deepEqual(errors, ['a revocation list has expired; peers of its CA are refused'])
  // A new list ends it.
  writeFileSync(crl, authority.crl())
  const renewed = await engine.reload()
  assertApplied(renewed)
  assert.deepEqual([...expiredCodes(renewed.warnings), ...expiredCodes(engine.status().warnings)], [])
  await connect()
})

test('each kind that expires while it is served is in status() and in every result, including dry runs and refusals', async (t) => {
  const clock = fakeClock()
  const { engine, dir, files, authority } = await endingSite(t, {
    clock,
    caEnds: 20 * DAY,
    chainEnds: 30 * DAY,
  })
  const expired = async (kind: string) => {
    const { warnings, generation } = engine.status()
    assert.deepEqual(expiredCodes(generation.warnings), expiredCodes(warnings), kind)
    for (const options of [{}, { dryRun: true }, { force: true }] as const) {
      const result = await engine.reload(options)
      assert.equal(result.outcome, 'unchanged')
      assert.deepEqual(expiredCodes(result.warnings), expiredCodes(warnings), kind)
    }
    return expiredCodes(warnings)
  }
  assert.deepEqual(await expired('nothing'), [])
  clock.setWall(8 * DAY)
  assert.deepEqual(await expired('the list'), ['CRL_EXPIRED'])
  clock.setWall(13 * DAY)
  assert.deepEqual((await expired('the anchor')).sort(), ['CA_EXPIRED', 'CRL_EXPIRED'])
  clock.setWall(10 * DAY)
  assert.deepEqual((await expired('the chain')).sort(), ['CA_EXPIRED', 'CERT_EXPIRED', 'CRL_EXPIRED'])
  clock.setWall(70 * DAY)
  const four = ['CA_EXPIRED', 'CERT_EXPIRED', 'CERT_EXPIRED', 'CRL_EXPIRED']
  assert.deepEqual((await expired('the leaf')).sort(), four)
  assert.deepEqual(expiredCodes((await engine.update({})).warnings).sort(), four)

  writeFileSync(files.cert, 'not a certificate')
  const rejected = await engine.reload()
  assert.equal(rejected.outcome, 'rejected')
  assert.deepEqual(expiredCodes(rejected.warnings).sort(), four)
  writePair(dir, authority.issue())
  const dry = await engine.reload({ dryRun: true })
  assert.equal(dry.outcome, 'validated')
  assert.deepEqual(expiredCodes(dry.warnings).sort(), four)
})

test('a rollback to a certificate that has expired in the meantime reports it', async (t) => {
  const clock = fakeClock()
  const { engine, dir, authority } = await endingSite(t, { clock })
  writePair(dir, authority.issue({ notAfter: fromNow(300 * DAY) }))
  assertApplied(await engine.reload())
  clock.setWall(100 * DAY)
  assert.deepEqual(expiredCodes(engine.status().warnings), ['CRL_EXPIRED'])
  const result = await engine.rollback()
  assertApplied(result)
  assert.deepEqual(expiredCodes(result.warnings), ['CERT_EXPIRED', 'CRL_EXPIRED'])
  assert.deepEqual(expiredCodes(engine.history()[0]?.warnings ?? []), ['CERT_EXPIRED', 'CRL_EXPIRED'])
})

test('each kind is reported before its expiry by an event and a log line, with its name and its file', async (t) => {
  const clock = fakeClock()
  const site = await endingSite(t, { clock, caEnds: 20 * DAY, chainEnds: 30 * DAY })
  const { engine, logger, authority, intermediate, files, ca, crl } = site
  const notices = recordEvents(engine, 'expiring')
  await passDays(clock, 29)
  const ahead = notices.filter(({ leftMs }) => leftMs > 0)
  for (const [kind, name, path] of [
    ['crl', authority.name, crl],
    ['ca', authority.name, ca],
    ['chain', intermediate.name, files.cert],
  ]) {
    const found = ahead.filter((notice) => notice.kind === kind && notice.name === `CN=${name}`)
    assert.ok(found.length >= 2, `${kind}: ${found.length}`)
    assert.ok(found.every((notice) => notice.path === path))
    const levels = found.map(({ thresholdDays }) => thresholdDays)
    assert.deepEqual(
      levels,
      [...new Set(levels)].sort((a, b) => b - a),
      'each threshold once',
    )
  }
  const warnings = new Set(logger.lines.filter(({ level }) => level === 'warn').map(({ message }) => message))
  for (const message of [
    'a revocation list expires soon',
    'a trust anchor expires soon',
    'a certificate of the served chain expires soon',
  ]) {
    assert.ok(warnings.has(message), message)
  }
})

test('if a CA has two lists, the expiry of the first refuses no client and gives no warning', async (t) => {
  const clock = fakeClock()
  const site = await endingSite(t, { clock })
  const { engine, authority, crl } = site
  const longer = authority.crl({ nextUpdate: fromNow(30 * DAY) })
  writeFileSync(crl, authority.crl() + longer)
  assertApplied(await engine.reload())
  clock.setWall(8 * DAY)
  assert.deepEqual(expiredCodes(engine.status().warnings), [])
  assert.equal(
    engine.status().ends.crl?.notAfter.slice(0, 10),
    fromNow(30 * DAY)
      .toISOString()
      .slice(0, 10),
  )
})

test('a trust anchor that was renewed with the same key refuses no client when it expires, and gives no warning', async (t) => {
  const clock = fakeClock()
  const site = await endingSite(t, { clock, caEnds: 90 * DAY, crl: false })
  const { engine, authority, ca } = site
  const renewals = {
    'with its key': createAuthority({ name: authority.name, key: authority }),
    'with another key': createAuthority({ name: authority.name }),
  }
  const old = createAuthority({ name: authority.name, key: authority, notAfter: fromNow(20 * DAY) })
  const notices = recordEvents(engine, 'expiring')
  for (const [what, next] of Object.entries(renewals)) {
    writeFileSync(ca, old.certPem + next.certPem)
    assertApplied(await engine.reload())
    const ends = engine.status().ends.ca?.notAfter.slice(0, 10)
    const isRefused = what !== 'with its key'
    assert.equal(ends, (isRefused ? old : next).notAfter.toISOString().slice(0, 10), what)
    clock.setWall(21 * DAY)
    await clock.advance(MINUTE)
    assert.deepEqual(expiredCodes(engine.status().warnings), isRefused ? ['CA_EXPIRED'] : [], what)
    assert.equal(notices.splice(0).length > 0, isRefused, what)
    clock.setWall(-21 * DAY)
    await clock.advance(MINUTE)
  }
})

test('a client of a renewed trust anchor is accepted beside the old anchor, without a warning', async (t) => {
  const past = { notBefore: fromNow(-20 * DAY), notAfter: fromNow(-DAY) }
  const { engine, authority, ca } = await endingSite(t, { clock: null, crl: false })
  const old = createAuthority({ name: authority.name, key: authority, ...past })
  writeFileSync(ca, old.certPem + authority.certPem)
  const { warnings } = await engine.reload()
  assert.deepEqual(expiredCodes(warnings), [])
  const { chainPem: cert, keyPem: key } = authority.issue({ names: ['client'] })
  const port = await serveEcho(t, engine)
  await handshake({ port, cert, key, confirm: true })
  writeFileSync(ca, old.certPem)
  assert.deepEqual(expiredCodes((await engine.reload()).warnings), ['CA_EXPIRED'])
  await assert.rejects(handshake({ port, cert, key, confirm: true }))
})

test('after a clock step to before the start of a list, its successor counts from the start of the list before it', async (t) => {
  const clock = fakeClock()
  const { engine, authority, crl } = await endingSite(t, { clock })
  const [before, between] = [
    authority.crl({ thisUpdate: fromNow(-10 * DAY), nextUpdate: fromNow(-4 * DAY) }),
    authority.crl({ thisUpdate: fromNow(-5 * DAY), nextUpdate: fromNow(DAY) }),
  ]
  const codes = () => engine.status().warnings.map(({ code }) => code)
  const codesAt = async (lists: string) => {
    writeFileSync(crl, lists)
    assertApplied(await engine.reload())
    return codes()
  }
  clock.setWall(-3 * DAY)
  assert.ok((await codesAt(authority.crl())).includes('CRL_NOT_YET_VALID'))
  assert.ok(!(await codesAt(before + between + authority.crl())).includes('CRL_NOT_YET_VALID'))
  clock.setWall(-6 * DAY)
  assert.ok(!codes().includes('CRL_NOT_YET_VALID'))
  clock.setWall(-2 * DAY)
  assert.ok(codes().includes('CRL_NOT_YET_VALID'))
})

test('an expired root in a bundle is one warning in each result, and the others are still watched', async (t) => {
  const clock = fakeClock()
  const gone = Array.from({ length: 12 }, () =>
    createAuthority({ notBefore: fromNow(-20 * DAY), notAfter: fromNow(-DAY) }),
  )
  const next = createAuthority({ notAfter: fromNow(20 * DAY) })
  const site = await endingSite(t, { clock, extraAnchors: [...gone, next], crl: false })
  const { engine, logger } = site
  const warned = () =>
    logger.lines.filter(({ fields }) => 'code' in fields && fields.code === 'CA_EXPIRED').length
  const notices = recordEvents(engine, 'expiring')
  await clock.advance(MINUTE)
  const { warnings } = await engine.reload()
  assert.deepEqual(expiredCodes(warnings), ['CA_EXPIRED'])
  const first = warnings.find(({ code }) => code === 'CA_EXPIRED')
  assert.match(first?.message ?? '', /^12 trust anchors in .* have expired: CN=.* and 2 more$/)
  assert.equal(warned(), 1)
  assert.equal(notices.length, 0)
  await passDays(clock, 21)
  assert.deepEqual(notices.at(-1)?.name, `CN=${next.name}`)
  const now = engine.status().warnings.find(({ code }) => code === 'CA_EXPIRED')
  assert.match(now?.message ?? '', /^13 trust anchors/)
  // Renewals of the certificate do not log the warning again.
  writePair(site.dir, site.authority.issue())
  assertApplied(await engine.reload())
  assert.equal(warned(), 1)
})

test('checks become more frequent when a clock step leaves less time than one interval', async (t) => {
  const clock = fakeClock()
  const { engine } = await endingSite(t, { clock, interval: 86_400 })
  assert.ok((engine.status().nextCheckInMs ?? 0) > DAY / 2)
  // The revocation list has 40 minutes left.
  clock.setWall(7 * DAY - 40 * MINUTE)
  await clock.advance(MINUTE)
  const { nextCheckInMs } = engine.status()
  assert.ok(nextCheckInMs !== null && nextCheckInMs <= 10 * MINUTE, `${nextCheckInMs} ms`)
})

test('the line about more frequent checks is not repeated with each generation after something has expired', async (t) => {
  const clock = fakeClock()
  const { engine, dir, authority, logger } = await endingSite(t, { clock, interval: 86_400 })
  const reported = () =>
    logger
      .takeLines()
      .filter((line) => line.endsWith('expires within one reload interval; checking more often'))
  const renew = async () => {
    writePair(dir, authority.issue())
    assertApplied(await engine.reload())
  }
  clock.setWall(7 * DAY - 40 * MINUTE)
  await renew()
  assert.equal(reported().length, 1)
  clock.setWall(DAY)
  await renew()
  assert.equal(reported().length, 0)
})
