/*
 * If the files on disk are broken, the last good certificate stays in service, the result reports the problem, and the engine
 * recovers by itself.
 *
 * Guards against a failed reload that destroys a working state (jetty#5062 and #12781, grpc-node#2661), that is never retried
 * (harper#2382), and that is reported as a success (redis#10713, vault#7765). OpenSSL silently accepts a half-written CA bundle
 * as a complete one.
 */

import assert from 'node:assert/strict'
import { rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { Outcome, ProblemCode, ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import {
  assertApplied,
  nextEvent,
  recordEvents,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'

const authority = createAuthority().issueAuthority()
const clientAuthorities = [createAuthority(), createAuthority(), createAuthority()]
const bundle = clientAuthorities.map(({ certPem }) => certPem).join('')

interface Paths {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

interface Breakage {
  readonly outcome: Outcome
  readonly code: ProblemCode
  /** Breaks the files; the leaf is one that is not served yet. */
  harm(paths: Paths, next: Leaf): void
  /** The file that the problem names. */
  readonly at: keyof Paths
}

const breakages: Readonly<Record<string, Breakage>> = {
  'a new certificate beside the old key': {
    outcome: 'waiting-for-pair',
    code: 'CERT_KEY_MISMATCH',
    at: 'cert',
    harm: ({ cert }, next) => overwriteInPlace(cert, next.chainPem),
  },
  'a new key beside the old certificate': {
    outcome: 'waiting-for-pair',
    code: 'CERT_KEY_MISMATCH',
    at: 'cert',
    harm: ({ key }, next) => overwriteInPlace(key, next.keyPem),
  },
  'a missing certificate': rejection('FILE_NOT_FOUND', 'cert', ({ cert }) => rmSync(cert)),
  'a missing key': rejection('FILE_NOT_FOUND', 'key', ({ key }) => rmSync(key)),
  'a missing CA bundle': rejection('FILE_NOT_FOUND', 'ca', ({ ca }) => rmSync(ca)),
  'a certificate that is truncated in the leaf': rejection('PEM_INVALID', 'cert', ({ cert }, next) => {
    overwriteInPlace(cert, next.chainPem)
    truncateSync(cert, half(next.certPem.length))
  }),
  'a certificate that is truncated in the intermediate': rejection(
    'PEM_INVALID',
    'cert',
    ({ cert }, { certPem, chainPem }) => {
      truncateSync(cert, half(certPem.length + chainPem.length))
    },
  ),
  'a key that is truncated in the middle': rejection('PEM_INVALID', 'key', ({ key }, next) => {
    truncateSync(key, half(next.keyPem.length))
  }),
  'an emptied certificate': rejection('CERT_MISSING', 'cert', ({ cert }) => truncateSync(cert)),
  'an emptied key': rejection('KEY_MISSING', 'key', ({ key }) => truncateSync(key)),
  'an emptied CA bundle': rejection('CA_EMPTY', 'ca', ({ ca }) => truncateSync(ca)),
  'a CA bundle that is truncated in its first certificate': rejection('PEM_INVALID', 'ca', cutBundleAt(0.5)),
  'a CA bundle that is truncated in its last certificate': rejection('PEM_INVALID', 'ca', cutBundleAt(2.5)),
  'a CA bundle that is truncated in its last line': rejection('PEM_INVALID', 'ca', cutBundleAt(2.99)),
}

for (const [what, { outcome, code, at, harm }] of Object.entries(breakages)) {
  test(`${what} is reported as ${code} and the old certificate stays in service until the files are fixed`, async (t) => {
    const { engine, port, paths, served } = await servingEngine(t)
    const { lastSuccess } = engine.status()
    const next = authority.issue()
    harm(paths, next)
    const result = await engine.reload()
    assert.equal(result.outcome, outcome)
    assert.deepEqual(
      result.problems.map(({ code, path }) => ({ code, path })),
      [{ code, path: paths[at] }],
    )
    assert.equal(result.generation, 1)
    assert.equal(result.serving.fingerprint256, served.fingerprint256)
    assert.equal(await servedBy(port), served.fingerprint256)
    const status = engine.status()
    assert.equal(status.state, outcome === 'rejected' ? 'failing' : 'waiting-for-pair')
    assert.deepEqual(status.lastSuccess, lastSuccess)
    assert.equal(status.lastFailure?.outcome, outcome)

    writeAll(paths, next)
    assertApplied(await engine.reload())
    assert.equal(await servedBy(port), next.fingerprint256)
    assert.equal(engine.status().state, 'serving')
  })

  test(`the timer alone recovers from ${what}, and the end of the outage is reported`, async (t) => {
    const { engine, port, paths, served } = await servingEngine(t, { autoReloadInterval: 0.05 })
    const next = authority.issue()
    const failed = nextEvent(engine, 'settled', (result) => result.outcome === outcome)
    harm(paths, next)
    assert.equal((await failed).problems[0]?.code, code)
    const { lastSuccess, failingSince } = engine.status()
    await nextEvent(engine, 'settled')
    await nextEvent(engine, 'settled')
    assert.deepEqual(engine.status().lastSuccess, lastSuccess)
    assert.equal(await servedBy(port), served.fingerprint256)

    const recoveries = recordEvents(engine, 'recovered')
    const recovered = nextEvent(engine, 'recovered')
    writeAll(paths, next)
    const writtenAt = Date.now()
    const { failedSince, outageMs } = await recovered
    assert.equal(failedSince, failingSince)
    const end = Date.parse(failedSince) + outageMs
    assert.ok(writtenAt <= end && end <= Date.now(), `an outage of ${outageMs} ms since ${failedSince}`)
    assert.equal(engine.status().failingSince, null)
    assert.equal(engine.status().generation.trigger, 'timer')
    assert.equal(await servedBy(port), next.fingerprint256)
    await nextEvent(engine, 'checked')
    assert.equal(recoveries.length, 1)
  })
}

test('files that are restored to the served content end an outage without a new generation', async (t) => {
  const { engine, paths, served } = await servingEngine(t)
  overwriteInPlace(paths.cert, 'nonsense')
  assert.equal((await engine.reload()).outcome, 'rejected')
  const recovered = nextEvent(engine, 'recovered')
  writeAll(paths, served)
  const { outcome, generation } = await engine.reload()
  assert.deepEqual({ outcome, generation }, { outcome: 'unchanged', generation: 1 })
  await recovered
  assert.equal(engine.status().state, 'serving')
})

function half(length: number): number {
  return Math.trunc(length / 2)
}

function rejection(code: ProblemCode, at: keyof Paths, harm: Breakage['harm']): Breakage {
  return { outcome: 'rejected', code, at, harm }
}

/** Cuts after so many certificates, which have about the same size. */
function cutBundleAt(certificates: number): Breakage['harm'] {
  const [whole, part] = [Math.trunc(certificates), certificates % 1]
  const before = clientAuthorities.slice(0, whole).reduce((sum, { certPem }) => sum + certPem.length, 0)
  const length = before + Math.trunc((clientAuthorities[whole]?.certPem.length ?? 0) * part)
  return ({ ca }) => truncateSync(ca, length)
}

async function servingEngine(
  t: TestContext,
  options: Partial<ReloadEngineOptions> = {},
): Promise<{ engine: ReloadEngine; port: number; paths: Paths; served: Leaf }> {
  const dir = tempDir(t)
  const served = authority.issue()
  const paths = { ...writePair(dir, served), ca: join(dir, 'ca.pem') }
  writeAll(paths, served)
  const engine = await startEngine(t, { ...paths, ...options })
  return { engine, port: await serveEcho(t, engine), paths, served }
}

function writeAll({ cert, key, ca }: Paths, leaf: Leaf): void {
  overwriteInPlace(ca, bundle)
  overwriteInPlace(key, leaf.keyPem)
  overwriteInPlace(cert, leaf.chainPem)
}
