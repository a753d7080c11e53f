/*
 * A dry run reports what a reload would do, and does nothing itself, neither at once nor by a later check.
 *
 * Guards against a check that has side effects of a reload; most other tools have no dry run.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { EngineStatus, ReloadEngine } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import {
  assertApplied,
  recordEvents,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { overwriteInPlace, type PairFiles, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'

const authority = createAuthority()
const [clientAuthority, nextClientAuthority] = [createAuthority(), createAuthority()]

test('a dry run of a new pair is `validated`, reports the changes, and changes nothing', async (t) => {
  const { engine, port, first, paths } = await servingEngine(t)
  const before = lasting(engine.status())
  const next = authority.issue({ names: ['localhost', 'new.example'] })
  writePairTo(paths, next)
  overwriteInPlace(paths.ca, clientAuthority.certPem + nextClientAuthority.certPem)
  const { outcome, generation, serving, changed, diff, problems } = await engine.reload({ dryRun: true })
  assert.deepEqual({ outcome, generation, problems }, { outcome: 'validated', generation: 1, problems: [] })
  assert.equal(serving.fingerprint256, first.fingerprint256)
  assert.deepEqual(changed, [paths.ca, paths.cert, paths.key].sort())
  assert.deepEqual(diff, {
    fingerprint256: { from: first.fingerprint256, to: next.fingerprint256 },
    namesAdded: ['new.example'],
    namesLost: [],
    notAfter: { from: first.notAfter.toISOString(), to: next.notAfter.toISOString() },
    issuer: { from: `CN=${authority.name}`, to: `CN=${authority.name}` },
    keyType: { from: 'EC prime256v1', to: 'EC prime256v1' },
    authoritiesAdded: [`CN=${nextClientAuthority.name}`],
    authoritiesRemoved: [],
    sessionsSurvive: false,
  })
  assert.equal(await servedBy(port), first.fingerprint256)
  assert.deepEqual(lasting(engine.status()), before)

  assert.equal((await engine.reload({ dryRun: true })).outcome, 'validated')
  const applied = await engine.reload()
  assertApplied(applied)
  assert.deepEqual(applied.diff, diff)
  assert.equal(await servedBy(port), next.fingerprint256)
})

test('a dry run of files that did not change is `unchanged`', async (t) => {
  const { engine } = await servingEngine(t)
  const before = lasting(engine.status())
  assert.equal((await engine.reload({ dryRun: true })).outcome, 'unchanged')
  assert.deepEqual(lasting(engine.status()), before)
})

for (const [what, code, harm] of [
  [
    'half a pair',
    'CERT_KEY_MISMATCH',
    ({ cert }: Paths) => overwriteInPlace(cert, authority.issue().chainPem),
  ],
  [
    'a broken file',
    'PEM_INVALID',
    ({ ca }: Paths) => overwriteInPlace(ca, '-----BEGIN CERTIFICATE-----\nMII'),
  ],
] as const) {
  test(`a dry run of ${what} is \`rejected\`, and changes neither the state nor the log, and causes no later check`, async (t) => {
    const { engine, port, first, paths, lines } = await servingEngine(t)
    const before = lasting(engine.status())
    const count = lines.length
    const events = [
      recordEvents(engine, 'waiting'),
      recordEvents(engine, 'rejected'),
      recordEvents(engine, 'recovered'),
    ]
    harm(paths)
    const { outcome, problems } = await engine.reload({ dryRun: true })
    assert.equal(outcome, 'rejected')
    assert.deepEqual(
      problems.map((problem) => problem.code),
      [code],
    )
    assert.deepEqual(lasting(engine.status()), before)
    assert.equal(engine.status().passes.rejected, 1)
    assert.deepEqual(lines.slice(count), [])
    assert.deepEqual(events, [[], [], []])
    assert.equal(engine.status().nextCheckInMs, null)
    assert.equal(await servedBy(port), first.fingerprint256)
  })
}

test('a dry run during an outage does not change the outage', async (t) => {
  const { engine, first, paths } = await servingEngine(t)
  overwriteInPlace(paths.cert, 'nonsense')
  assert.equal((await engine.reload()).outcome, 'rejected')
  const before = lasting(engine.status())
  writePairTo(paths, first)
  assert.equal((await engine.reload({ dryRun: true })).outcome, 'unchanged')
  assert.deepEqual(lasting(engine.status()), before)
  assert.equal((await engine.reload()).outcome, 'unchanged')
  assert.equal(engine.status().state, 'serving')
})

interface Paths extends PairFiles {
  readonly ca: string
}

interface Serving {
  readonly engine: ReloadEngine
  readonly port: number
  readonly first: Leaf
  readonly paths: Paths
  readonly lines: readonly unknown[]
}

async function servingEngine(t: TestContext): Promise<Serving> {
  const dir = tempDir(t)
  const first = authority.issue()
  const paths = { ...writePair(dir, first), ca: join(dir, 'ca.pem') }
  overwriteInPlace(paths.ca, clientAuthority.certPem)
  const logger = recordingLogger()
  const engine = await startEngine(t, { ...paths, logger })
  return { engine, port: await serveEcho(t, engine), first, paths, lines: logger.lines }
}

function writePairTo({ cert, key }: PairFiles, { chainPem, keyPem }: Leaf): void {
  overwriteInPlace(key, keyPem)
  overwriteInPlace(cert, chainPem)
}

/** The state that a dry run must not change, without the count of passes and our own connections. */
function lasting({
  passes: _passes,
  connections: _connections,
  ...status
}: EngineStatus): Omit<EngineStatus, 'passes' | 'connections'> {
  return status
}
