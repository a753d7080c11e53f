import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { startEngine } from '../../../src/main/engine/engine.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { stapled } from '../../../support/clients/stapled.js'
import { assertApplied, recordEvents, serveEcho } from '../../../support/engine/engines.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { type OcspOptions, ocspResponse } from '../../../support/material/ocsp-response.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const authority = createAuthority({ parent: createAuthority() })

test('an expired response is no longer stapled, and is a warning until there is a new one', async (t) => {
  const { clock, engine, port, respond } = await setUp(t)
  assert.ok((await stapled(port)).response)
  const { nextUpdate } = engine.status().generation.certificates[0]?.ocsp ?? {}
  assert.equal(engine.status().ends.ocsp?.notAfter, nextUpdate)
  await clock.advance(7 * DAY)
  assert.equal((await stapled(port)).response, null)
  assert.deepEqual(codes(engine.status().warnings), ['OCSP_EXPIRED'])
  assert.equal(engine.status().ends.ocsp?.expired, true)
  assert.deepEqual(codes((await engine.reload()).warnings), ['OCSP_EXPIRED'])
  respond({ thisUpdate: new Date(), nextUpdate: new Date(Date.now() + 14 * DAY) })
  assertApplied(await engine.reload())
  assert.deepEqual(engine.status().warnings, [])
  assert.ok((await stapled(port)).response)
})

test('the expiry of a response is reported in advance, by parts of its lifetime', async (t) => {
  const { clock, engine, logger } = await setUp(t)
  const notices = recordEvents(engine, 'expiring')
  for (let day = 0; day < 8 * 12; day++) await clock.advance(2 * HOUR)
  const seen = notices.map(({ kind, thresholdDays }) => `${kind} ${thresholdDays}`)
  assert.deepEqual(seen, ['ocsp 1.75', 'ocsp 0.875', 'ocsp 0.4375', 'ocsp 0'])
  const [notice] = notices
  assert.deepEqual([notice?.name, notice?.path], ['CN=localhost', engine.status().ends.ocsp?.path])
  const ended = logger.lines.filter(({ level }) => level === 'error')
  assert.deepEqual(
    ended.map(({ message }) => message),
    ['the OCSP response of a served certificate has expired; it is not stapled any more'],
  )
})

test('after the clock was set back, a response is stapled only within the clock skew', async (t) => {
  const { clock, engine, port } = await setUp(t, { thisUpdate: new Date() })
  clock.setWall(-20_000)
  assert.ok((await stapled(port)).response)
  clock.setWall(-20_000)
  assert.equal((await stapled(port)).response, null)
  assert.deepEqual(codes(engine.status().warnings), ['OCSP_NOT_YET_VALID'])
})

test('the metrics have the expiry of the response, and nothing without one', async (t) => {
  const { engine } = await setUp(t)
  const metrics = createMetrics(engine)
  t.after(() => metrics.close())
  const { nextUpdate = '' } = engine.status().generation.certificates[0]?.ocsp ?? {}
  const line = `certswap_ocsp_next_update_timestamp_seconds{context="default"} ${Date.parse(nextUpdate ?? '') / 1000}`
  assert.ok((await metrics.text()).includes(line))
  assertApplied(await engine.update({ ocsp: undefined }))
  assert.ok(!(await metrics.text()).includes('certswap_ocsp_next_update_timestamp_seconds{'))
})

async function setUp(t: TestContext, about: OcspOptions = {}) {
  const dir = tempDir(t)
  const leaf = authority.issue()
  const ocsp = join(dir, 'ocsp.der')
  const respond = (options: OcspOptions) => renameInto(ocsp, ocspResponse(leaf, authority, options))
  const pair = writePair(dir, leaf)
  respond(about)
  const [clock, logger] = [fakeClock(), recordingLogger()]
  const engine = await startEngine({ ...pair, ocsp, logger }, { clock })
  t.after(() => engine.close())
  return { clock, engine, logger, respond, port: await serveEcho(t, engine) }
}

function codes(problems: readonly { readonly code: string }[]): string[] {
  return problems.map(({ code }) => code)
}
