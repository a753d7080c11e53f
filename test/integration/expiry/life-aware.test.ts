/* Guards against an interval that is longer than the remaining lifetime (dynatrace-operator#6861). */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { recordingLogger } from '../../../support/base/recording-logger.js'
import { nextEvent, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

test('with an interval of an hour, a certificate with seconds left is renewed before it expires', async (t) => {
  const authority = createAuthority()
  const dir = tempDir(t)
  const end = Date.now() + 20_000
  const paths = writePair(dir, authority.issue({ notAfter: new Date(end) }))
  const logger = recordingLogger()
  const engine = await startEngine(t, { ...paths, autoReloadInterval: 3600, logger })
  const port = await serveEcho(t, engine)
  assert.ok((engine.status().nextCheckInMs ?? Number.POSITIVE_INFINITY) <= 5000)
  assert.ok(logger.takeLines().some((line) => line.startsWith('warn served material expires within')))
  const applied = nextEvent(engine, 'applied')
  const renewed = authority.issue()
  writePair(dir, renewed)
  const { trigger } = await applied
  assert.equal(trigger, 'timer')
  assert.ok(Date.now() < end)
  assert.equal(await servedBy(port), renewed.fingerprint256)
  assert.ok(
    (engine.status().nextCheckInMs ?? 0) > 3_500_000,
    'the renewed one is checked at the interval again',
  )
})
