import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import { startEngine } from '../../src/main/engine/engine.js'
import {
  createReloadEngine,
  type EngineStatus,
  type Problem,
  type ReloadEngine,
  type ReloadError,
  type ReloadResult,
} from '../../src/main/index.js'
import { fakeClock } from '../../support/base/fake-clock.js'
import { type RecordingLogger, recordingLogger } from '../../support/base/recording-logger.js'
import { SecretSearch } from '../../support/base/secrets.js'
import { handshake } from '../../support/clients/tls-client.js'
import { asDocumented, assertListed, documentedErrors } from '../../support/docs/documented-errors.js'
import type { Leaf } from '../../support/material/certificates.js'
import { createEcho, listen } from '../../support/servers/echo-server.js'
import { type AcceptedRow, codesOf, type Group, isRefused, type RefusedRow } from './corpus.js'
import { createSite, type Site } from './site.js'

/** Takes one engine and one server through every row of each group, always starting from and ending with valid files. */
export function runCorpus(groups: readonly Group[]): void {
  for (const group of groups) {
    test(group.title, async (t) => {
      const stage = await openStage(t, group)
      for (const row of group.rows) {
        await t.test(row.id, async () => {
          // A failed row must not fail the next one.
          if (!stage.clean) await recover(stage)
          stage.clean = false
          if (isRefused(row)) await playRefused(stage, row)
          else await playAccepted(stage, row)
          await recover(stage)
          stage.clean = true
        })
      }
    })
  }
}

/** The site that the rows of a group use. */
interface Stage {
  readonly group: Group
  readonly site: Site
  readonly engine: ReloadEngine
  readonly logger: RecordingLogger
  readonly port: number
  /** The certificate that is served. */
  served: Leaf
  /** Whether the valid files are on disk and served. */
  clean: boolean
}

async function openStage(t: TestContext, group: Group): Promise<Stage> {
  const site = createSite(t)
  const logger = recordingLogger()
  const served = group.right(site)
  // No timer check, which a mismatching pair causes, runs before or after those of the test.
  const engine = await startEngine({ ...group.options(site), logger }, { clock: fakeClock() })
  t.after(() => engine.close())
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  const port = await listen(t, server)
  const stage = { group, site, engine, logger, port, served, clean: true }
  await assertServed(stage)
  return stage
}

async function playRefused(stage: Stage, row: RefusedRow): Promise<void> {
  const { site, engine, logger, served } = stage
  forgetSecrets(stage)
  logger.takeLines()
  const before = engine.status()
  const undo = await row.spoil(site, served)
  try {
    const result = await refusal(engine, row)
    assert.deepEqual(
      result.problems.map(({ code }) => code),
      codesOf(row),
      JSON.stringify(result.problems),
    )
    assert.equal(result.problems[0]?.path, row.at === null ? undefined : site.path(row.at))
    if (row.message) assert.match(result.problems[0]?.message ?? '', row.message)
    assertNothingMoved(before, engine.status(), result)
    await assertServed(stage)
    const forced = await engine.reload({ force: true, dryRun: true })
    assert.equal(
      forced.outcome,
      row.forcible === true ? 'validated' : 'rejected',
      `forced: ${JSON.stringify(forced.problems)}`,
    )
    const error = row.onlyAgainstServed === true ? null : await firstLoadError(stage, row)
    assertNoSecret(site, [result, forced, engine.status(), logger.lines, error, error?.message])
    if (row.example) assertDocumented(row.example, result.problems, site)
    if (row.listed) assertListed(result.problems[0] as Problem, site.dir)
  } finally {
    await undo?.()
  }
}

async function playAccepted(stage: Stage, row: AcceptedRow): Promise<void> {
  const { site, engine, logger } = stage
  forgetSecrets(stage)
  logger.takeLines()
  stage.served = row.accepted(site, stage.served)
  const result = await engine.reload()
  assert.equal(result.outcome, 'applied', JSON.stringify(result.problems))
  const warned = result.warnings.map(({ code }) => code)
  assert.deepEqual(warned, codesOf(row), JSON.stringify(result.warnings))
  if (row.at !== undefined) {
    assert.equal(result.warnings[0]?.path, row.at === null ? undefined : site.path(row.at))
  }
  await assertServed(stage)
  assertNoSecret(site, [result, engine.status(), logger.lines])
  if (row.example) assertDocumented(row.example, result.warnings, site)
  if (row.listed) assertListed(result.warnings[0] as Problem, site.dir)
}

/** Writes the valid files, and serves them. */
async function recover(stage: Stage): Promise<void> {
  const { group, site, engine } = stage
  stage.served = group.right(site)
  const result = await engine.reload()
  assert.equal(result.outcome, 'applied', `recovery: ${JSON.stringify(result.problems)}`)
  assert.equal((await engine.reload()).outcome, 'unchanged')
  const { state, failingSince, consecutiveFailures } = engine.status()
  assert.deepEqual(
    { state, failingSince, consecutiveFailures },
    { state: 'serving', failingSince: null, consecutiveFailures: 0 },
  )
  await assertServed(stage)
}

async function refusal(engine: ReloadEngine, row: RefusedRow): Promise<ReloadResult> {
  const expected = row.outcome ?? 'rejected'
  const patience = patienceOf(row)
  for (;;) {
    const result = await engine.reload()
    assert.equal(result.outcome, expected)
    const [first] = codesOf(row)
    if (result.problems[0]?.code === first || patience.isOver()) return result
  }
}

/** When the machine is busy, not every check reads the growing file while it grows. */
function patienceOf({ unsteady = false }: RefusedRow): { isOver(): boolean } {
  const end = Date.now() + (unsteady ? 20_000 : 0)
  return { isOver: () => Date.now() >= end }
}

function assertNothingMoved(before: EngineStatus, after: EngineStatus, result: ReloadResult): void {
  assert.deepEqual(after.lastSuccess, before.lastSuccess)
  assert.deepEqual(after.generation, before.generation)
  assert.equal(result.generation, before.generation.number)
  assert.equal(result.serving.fingerprint256, before.generation.certificates[0]?.fingerprint256)
  assert.deepEqual(after.lastFailure?.problems, result.problems)
  assert.equal(after.state, result.outcome === 'rejected' ? 'failing' : 'waiting-for-pair')
}

async function assertServed({ group, site, port, served }: Stage): Promise<void> {
  const client = group.client?.(site)
  const confirm = client !== undefined
  const { fingerprint256 } = await handshake({ port, waitForSession: false, ...client, confirm })
  assert.equal(fingerprint256, served.fingerprint256)
}

/** An engine that starts with such files reports the same. */
async function firstLoadError({ group, site }: Stage, row: RefusedRow): Promise<ReloadError> {
  const options = { ...group.options(site), logger: recordingLogger() }
  const patience = patienceOf(row)
  for (;;) {
    const engine = await createReloadEngine(options).catch((error: ReloadError) => error)
    if (!(engine instanceof Error)) {
      await engine.close()
      assert.fail('a first load accepted it')
    }
    if (engine.code !== codesOf(row)[0] && !patience.isOver()) continue
    assert.deepEqual(
      engine.problems.map(({ code }) => code),
      codesOf(row),
    )
    return engine
  }
}

/** From here on the secrets are those of the served certificate, and those that the row adds. */
function forgetSecrets({ site, served }: Stage): void {
  site.secrets = new SecretSearch()
  site.secrets.addKey(served.privateKey)
}

function assertNoSecret(site: Site, seen: readonly unknown[]): void {
  assert.equal(site.secrets.findIn(JSON.stringify(seen)), undefined)
}

function assertDocumented(code: string, problems: readonly Problem[], site: Site): void {
  const message = problems.find((problem) => problem.code === code)?.message ?? ''
  assert.equal(documentedErrors().get(code)?.example, asDocumented(message, site.dir), code)
}
