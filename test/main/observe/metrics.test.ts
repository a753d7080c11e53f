import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { Registry } from 'prom-client'

import { type Clock, systemClock } from '../../../src/main/base/clock.js'
import { PROBLEM_CODES, type ReloadEngineOptions } from '../../../src/main/index.js'
import { createMetrics, type Metrics, type MetricsOptions } from '../../../src/main/observe/metrics.js'
import { promtoolComplaints, seriesOf, withoutPromtool } from '../../../support/docs/exposition.js'
import { putHost } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, selfSigned } from '../../../support/material/certificates.js'
import { type ControlledEngine, controlledEngine, request } from '../../../support/servers/control.js'

const day = 86_400_000
const post = { method: 'POST' } as const

test('the metrics describe the served certificate from the start', async (t) => {
  const { metrics, first, authority } = await measured(t)
  const series = seriesOf(await metrics.text())
  const context = '{context="default"}'
  const of = (name: string) => series.get(`certswap_${name}${context}`)
  assert.equal(of('certificate_not_after_timestamp_seconds'), first.notAfter.getTime() / 1000)
  assert.equal(of('certificate_not_before_timestamp_seconds'), first.notBefore.getTime() / 1000)
  assert.equal(of('certificate_chain_not_after_timestamp_seconds'), first.notAfter.getTime() / 1000)
  assert.equal(of('last_reload_successful'), 1)
  assert.ok(Math.abs((of('last_reload_success_timestamp_seconds') as number) - Date.now() / 1000) < 60)
  assert.equal(series.get('certswap_generation'), 1)
  assert.equal(series.get('certswap_serving_matches_disk'), 1)
  assert.equal(series.get('certswap_serving_differs_since_timestamp_seconds'), 0)
  assert.deepEqual(infos(series), [
    `certswap_certificate_info{context="default",fingerprint_sha256="${first.fingerprint256}",` +
      `serial="${first.serial}",subject_cn="localhost",issuer_cn="${authority.name}",key_type="EC prime256v1"}`,
  ])
})

test('every value of an enum has a series from the start, at 0', async (t) => {
  const { metrics } = await measured(t)
  const series = seriesOf(await metrics.text())
  for (const code of PROBLEM_CODES)
    assert.equal(series.get(`certswap_reload_errors_total{code="${code}"}`), 0)
  for (const trigger of ['timer', 'api', 'signal', 'control', 'update', 'rollback']) {
    for (const outcome of ['applied', 'unchanged', 'rejected', 'waiting-for-pair', 'validated']) {
      assert.equal(series.get(`certswap_reloads_total{trigger="${trigger}",outcome="${outcome}"}`), 0)
    }
  }
  for (const phase of ['prepare', 'stage', 'commit', 'verify']) {
    assert.equal(series.get(`certswap_reload_phase_duration_seconds_count{phase="${phase}"}`), 0)
  }
  assert.equal(series.get('certswap_control_requests_total{route="/reload_certs",code="200"}'), 0)
  assert.equal(series.get('certswap_control_requests_total{route="/reload_certs",code="500"}'), 0)
})

test('each outcome changes its own series and no other', async (t) => {
  // While half a pair is missing, checks follow each other within milliseconds.
  const withoutTimers: Clock = { ...systemClock, after: () => () => {} }
  const measurement = await measured(t, undefined, {}, withoutTimers)
  const { engine, rotate, files, authority } = measurement
  const moved = movesOf(measurement.metrics)
  await moved()

  await engine.reload()
  assert.deepEqual(await moved(), [
    'reloads_total{trigger="api",outcome="unchanged"} +1',
    'reload_duration_seconds_count +1',
    'reload_phase_duration_seconds_count{phase="prepare"} +1',
  ])

  rotate()
  await engine.reload({ dryRun: true, trigger: 'signal' })
  assert.deepEqual(await moved(), [
    'reloads_total{trigger="signal",outcome="validated"} +1',
    'reload_duration_seconds_count +1',
    'reload_phase_duration_seconds_count{phase="prepare"} +1',
  ])

  await engine.reload({ trigger: 'control' })
  assert.deepEqual(await moved(), [
    'generation +1',
    'reloads_total{trigger="control",outcome="applied"} +1',
    'reload_duration_seconds_count +1',
    'reload_phase_duration_seconds_count{phase="prepare"} +1',
    'reload_phase_duration_seconds_count{phase="stage"} +1',
    'reload_phase_duration_seconds_count{phase="commit"} +1',
    'reload_longest_slice_seconds_count +1',
  ])

  writeFileSync(files.key, authority.issue().keyPem)
  await engine.reload()
  assert.deepEqual(await moved(), [
    'reloads_total{trigger="api",outcome="waiting-for-pair"} +1',
    'last_reload_successful{context="default"} -1',
    'serving_matches_disk -1',
    'reload_duration_seconds_count +1',
    'reload_phase_duration_seconds_count{phase="prepare"} +1',
  ])

  writeFileSync(files.cert, 'no certificate')
  await engine.reload()
  assert.deepEqual(await moved(), [
    'reloads_total{trigger="api",outcome="rejected"} +1',
    'reload_errors_total{code="CERT_MISSING"} +1',
    'reload_duration_seconds_count +1',
    'reload_phase_duration_seconds_count{phase="prepare"} +1',
  ])

  rotate()
  await engine.reload()
  assert.deepEqual(await moved(), [
    'generation +1',
    'reloads_total{trigger="api",outcome="applied"} +1',
    'last_reload_successful{context="default"} +1',
    'serving_matches_disk +1',
    'recoveries_total +1',
    'reload_duration_seconds_count +1',
    'reload_phase_duration_seconds_count{phase="prepare"} +1',
    'reload_phase_duration_seconds_count{phase="stage"} +1',
    'reload_phase_duration_seconds_count{phase="commit"} +1',
    'reload_longest_slice_seconds_count +1',
  ])

  await engine.rollback()
  assert.deepEqual(await moved(), [
    'generation +1',
    'reloads_total{trigger="rollback",outcome="applied"} +1',
    'serving_matches_disk -1',
    'reload_duration_seconds_count +1',
    'reload_phase_duration_seconds_count{phase="stage"} +1',
    'reload_phase_duration_seconds_count{phase="commit"} +1',
    'reload_longest_slice_seconds_count +1',
  ])
})

test('while the files cannot be served, the metrics show the served certificate, and since when the files differ', async (t) => {
  const { metrics, engine, files, first } = await measured(t)
  const stranger = selfSigned({ notAfter: new Date(Date.now() + 1000 * day) })
  writeFileSync(files.cert, stranger.certPem)
  await engine.reload()
  const series = seriesOf(await metrics.text())
  const notAfter = series.get('certswap_certificate_not_after_timestamp_seconds{context="default"}')
  assert.equal(notAfter, first.notAfter.getTime() / 1000)
  const since = series.get('certswap_serving_differs_since_timestamp_seconds')
  assert.equal(since, Date.parse(engine.status().failingSince as string) / 1000)
})

test('the facts of a certificate that is no longer served are removed', async (t) => {
  const { metrics, engine, rotate } = await measured(t)
  const leaf = rotate()
  await engine.reload()
  const lines = infos(seriesOf(await metrics.text()))
  assert.equal(lines.length, 1)
  assert.ok(lines[0]?.includes(leaf.fingerprint256))
})

test('the first of two pairs to expire counts, and each has its facts', async (t) => {
  const { dir, authority, metrics, engine } = await measured(t)
  const long = authority.issue({ notAfter: new Date(Date.now() + 80 * day) })
  const short = authority.issue({ keyType: 'rsa-2048', notAfter: new Date(Date.now() + 40 * day) })
  const one = writePair(dir, long, { cert: 'a.crt', key: 'a.key' })
  const two = writePair(dir, short, { cert: 'b.crt', key: 'b.key' })
  await engine.update({ cert: [one.cert, two.cert], key: [one.key, two.key] })
  const series = seriesOf(await metrics.text())
  assert.equal(
    series.get('certswap_certificate_not_after_timestamp_seconds{context="default"}'),
    short.notAfter.getTime() / 1000,
  )
  assert.equal(infos(series).length, 2)
})

test('the first SNI host to expire counts, and the series is removed with the last host', async (t) => {
  const dir = tempDir(t)
  const hosts = createAuthority()
  const soonest = putHost(dir, hosts, 'a.test', { notAfter: new Date(Date.now() + 20 * day) })
  putHost(dir, hosts, 'b.test')
  const { metrics, engine } = await measured(t, {}, { hosts: join(dir, 'hosts', '*') })
  const of = async (name: string) => seriesOf(await metrics.text()).get(`certswap_${name}`)
  const notAfter = 'certificate_not_after_timestamp_seconds{context="hosts"}'
  assert.deepEqual([await of('hosts'), await of(notAfter)], [2, soonest.notAfter.getTime() / 1000])
  rmSync(join(dir, 'hosts'), { recursive: true })
  await engine.reload({ force: true })
  assert.deepEqual([await of('hosts'), await of(notAfter)], [0, undefined])
})

test('a name with quotes and line ends stays one label', async (t) => {
  const { dir, metrics, engine } = await measured(t)
  writePair(dir, createAuthority({ name: 'A "B" \\ C\nD' }).issue())
  await engine.reload()
  const [info, ...more] = infos(seriesOf(await metrics.text()))
  assert.match(info as string, /,issuer_cn="A [^,]+",key_type="EC prime256v1"}$/)
  assert.deepEqual(more, [])
})

test('requests to the control server are counted by route and status', async (t) => {
  const { metrics, socket } = await measured(t)
  await request(socket, '/reload_certs', post)
  await request(socket, '/reload_certs')
  await request(socket, '/nowhere')
  await request(socket, '/reload_certs', { ...post, body: 'x'.repeat(20_000) })
  const { text, headers } = await request(socket, '/metrics')
  assert.equal(headers['content-type'], metrics.contentType)
  const series = seriesOf(text)
  const count = (route: string, code: number) =>
    series.get(`certswap_control_requests_total{route="${route}",code="${code}"}`)
  assert.equal(count('/reload_certs', 200), 1)
  assert.equal(count('/reload_certs', 405), 1)
  assert.equal(count('unmatched', 404), 1)
  assert.equal(count('unmatched', 413), 1)
})

test("the metrics are registered in the user's registry, and removed again", async (t) => {
  const registry = new Registry()
  const { metrics, engine } = await measured(t, { registry })
  assert.equal(await metrics.text(), await registry.metrics())
  assert.throws(() => createMetrics(engine, { registry }), { code: 'OPTIONS_INVALID' })
  metrics.close()
  await engine.reload()
  assert.deepEqual(await registry.getMetricsAsJSON(), [])
  createMetrics(engine, { registry }).close()
})

test('an object that is not a registry is refused', async (t) => {
  const { engine } = await controlledEngine(t)
  const registry = {} as Registry
  assert.throws(() => createMetrics(engine, { registry }), { code: 'OPTIONS_INVALID' })
})

test('promtool accepts the metrics', { skip: withoutPromtool }, async (t) => {
  const { metrics, engine, files } = await measured(t)
  writeFileSync(files.cert, 'no certificate')
  await engine.reload()
  assert.equal(promtoolComplaints(await metrics.text()), '')
})

interface Measured extends ControlledEngine {
  readonly metrics: Metrics
}

async function measured(
  t: TestContext,
  options?: MetricsOptions,
  engine: Partial<ReloadEngineOptions> = {},
  clock?: Clock,
): Promise<Measured> {
  let metrics: Metrics | undefined
  const controlled = await controlledEngine(t, {
    engine,
    ...(clock ? { clock } : {}),
    control: (engine) => {
      metrics = createMetrics(engine, options)
      return { metrics }
    },
  })
  return { ...controlled, metrics: metrics as Metrics }
}

/** The changes since the last call: counters, states and numbers of observations, but not times. */
function movesOf(metrics: Metrics): () => Promise<string[]> {
  let before = new Map<string, number>()
  return async () => {
    const now = seriesOf(await metrics.text())
    const moved = [...now]
      .filter(([name]) => !/_(sum|bucket)|timestamp_seconds|certificate_info|outage_seconds/.test(name))
      .filter(([name, value]) => value !== (before.get(name) ?? 0))
      .map(([name, value]) => {
        const change = value - (before.get(name) ?? 0)
        return `${name.replace('certswap_', '')} ${change > 0 ? '+' : ''}${change}`
      })
    before = now
    return moved
  }
}

function infos(series: Map<string, number>): string[] {
  return [...series.keys()].filter((name) => name.startsWith('certswap_certificate_info'))
}
