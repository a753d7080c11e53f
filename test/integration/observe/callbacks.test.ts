/*
 * Application code that certswap calls: its logger, listeners and hooks. An exception of theirs changes no result, no state, no
 * other listener and no schedule, and is reported.
 */

import assert from 'node:assert/strict'
import { Console } from 'node:console'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'

import { pino } from 'pino'

import { createDrain } from '../../../src/main/drain/index.js'
import { createReloadEngine, type Logger, type ReloadEngine } from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { nextEvent, servedBy, serveEcho } from '../../../support/engine/engines.js'
import { type PairFiles, renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { runModule } from '../../../support/processes/run-module.js'
import { listen } from '../../../support/servers/echo-server.js'

const boom = () => {
  throw new Error('boom')
}
const rejects = () => Promise.reject(new Error('boom'))
const methods = (method: () => unknown) =>
  ({ debug: method, info: method, warn: method, error: method }) as Logger

const closedStream = new Writable({ write: (_chunk, _encoding, done) => done() })
closedStream.destroy()
const closedFile = pino.destination({ dest: '/dev/null', sync: true })
closedFile.destroy()

/** Loggers that fail, each in its own way. */
const failing: Readonly<Record<string, () => Logger>> = {
  'methods that throw': () => methods(boom),
  'methods that reject': () => methods(rejects),
  'methods that throw a value that is not an error': () =>
    methods(() => {
      throw Object.create(null)
    }),
  'methods that are lost after the start': () => {
    const logger = recordingLogger() as unknown as Record<string, unknown>
    setImmediate(() => {
      for (const level of ['debug', 'info', 'warn', 'error']) delete logger[level]
    })
    return logger as unknown as Logger
  },
  'a getter that throws after the start': () => {
    let reads = 0
    const logger = recordingLogger()
    // The options are checked first.
    return Object.defineProperty({ ...logger }, 'info', { get: () => (++reads > 2 ? boom() : logger.info) })
  },
  'pino whose stream is destroyed': () => pino(closedStream),
  'pino whose file is closed': () => pino(closedFile),
  'pino that cannot write the fields': () => pino({ formatters: { log: boom } }, closedStream),
}

for (const [name, create] of Object.entries(failing)) {
  test(`a logger with ${name} changes no result`, async (t) => {
    const { engine, renew, files } = await engineWith(t, create())
    const port = await serveEcho(t, engine)
    const fingerprint256 = renew()
    const { outcome, generation } = await engine.reload()
    assert.deepEqual([outcome, generation, await servedBy(port)], ['applied', 2, fingerprint256])
    renameInto(files.cert, 'no certificate')
    assert.equal((await engine.reload()).outcome, 'rejected')
    assert.equal(engine.status().state, 'failing')
    renew()
    assert.equal((await engine.reload()).outcome, 'applied')
    assert.equal(engine.status().state, 'serving')
  })
}

test('console is accepted as a logger', async (t) => {
  const written: string[] = []
  const stdout = new Writable({ write: (chunk, _, done) => done(void written.push(String(chunk))) })
  const { engine, renew } = await engineWith(t, new Console({ stdout, stderr: stdout }))
  renew()
  assert.equal((await engine.reload()).outcome, 'applied')
  assert.ok(written.some((line) => line.includes('certificates reloaded')))
})

test('a failing logger is reported once, as a process warning, and each failure is counted', async (t) => {
  const warnings = warningsOf(t)
  const { engine, renew } = await engineWith(t, methods(boom))
  const metrics = createMetrics(engine)
  t.after(() => metrics.close())
  const before = await failures(metrics, 'logger')
  for (let i = 0; i < 3; i++) {
    renew()
    await engine.reload()
  }
  assert.ok((await failures(metrics, 'logger')) >= before + 3)
  // An earlier test has caused the warning already; a process emits it once.
  await nextTurn()
  assert.ok(warnings.length <= 1, warnings.join('\n'))
})

test('a listener that fails is logged, counted and reported, and changes no result and no other listener', async (t) => {
  const warnings = warningsOf(t)
  const logger = recordingLogger()
  const { engine, renew } = await engineWith(t, logger)
  const metrics = createMetrics(engine)
  t.after(() => metrics.close())
  const heard: string[] = []
  engine.on('settled', boom)
  engine.on('settled', rejects as () => void)
  engine.on('settled', ({ outcome }) => heard.push(outcome))
  engine.on('applied', boom)
  const fingerprint256 = renew()
  const { outcome, serving } = await engine.reload()
  assert.deepEqual([outcome, serving.fingerprint256, heard], ['applied', fingerprint256, ['applied']])
  await nextTurn()
  assert.equal(
    logger.takeLines().filter((line) => line === 'error a listener of the reload engine threw').length,
    3,
  )
  assert.equal(await failures(metrics, 'listener'), 3)
  assert.deepEqual(warnings, [
    'CERTSWAP_LISTENER_FAILED a listener of the event settled of the reload engine failed: Error: boom; certswap continues, and no result is affected. Further failures are only counted and logged',
    'CERTSWAP_LISTENER_FAILED a listener of the event applied of the reload engine failed: Error: boom; certswap continues, and no result is affected. Further failures are only counted and logged',
  ])
})

test('a logger and listeners that fail do not stop the timer checks', async (t) => {
  const { engine, renew } = await engineWith(t, methods(boom), { autoReloadInterval: 0.05 })
  engine.on('checked', boom).on('applied', boom)
  for (let i = 0; i < 2; i++) {
    const applied = nextEvent(engine, 'applied')
    renew()
    await applied
  }
})

test('hooks and a logger that fail do not prevent the end of a drain', async (t) => {
  const server = createServer()
  const drain = createDrain({ servers: [server], onRaw: boom, deadlineMs: 50, logger: methods(boom) })
  drain.on('state', boom).on('drained', boom).on('connection-closed', boom)
  drain.track({ closed: new Promise(() => {}), goaway: rejects, destroy: boom })
  const client = connect(await listen(t, server), '127.0.0.1').on('error', () => {})
  t.after(() => client.destroy())
  await once(server, 'connection')
  drain.start()
  assert.equal((await drain.complete()).outcome, 'forced')
})

test('a process emits one warning for each logger, listener and hook that fails, with its own code', async (t) => {
  const { files } = site(t)
  const script = `
    const { createDrain } = await import(process.env.DRAIN)
    const codes = []
    process.on('warning', ({ code }) => codes.push(code))
    const boom = () => { throw new Error('boom') }
    const logger = { debug: boom, info: boom, warn: boom, error: boom }
    const engine = await api.createReloadEngine({ ...${JSON.stringify(files)}, logger })
    engine.on('settled', boom)
    for (let i = 0; i < 2; i++) await engine.reload()
    const drain = createDrain({ servers: [], logger })
    for (let i = 0; i < 2; i++) drain.track({ closed: new Promise(() => {}), goaway: boom, destroy() {} })
    drain.start()
    await engine.close()
    await new Promise(setImmediate)
    console.log(JSON.stringify(codes.sort()))
    process.exit()
  `
  const { stdout } = await runModule(t, script, {
    DRAIN: new URL('../../../src/main/drain/index.js', import.meta.url).href,
  })
  assert.deepEqual(JSON.parse(stdout), [
    'CERTSWAP_HOOK_FAILED',
    'CERTSWAP_LISTENER_FAILED',
    'CERTSWAP_LOGGER_FAILED',
  ])
})

test('an exception of a diagnostics_channel subscriber is an uncaughtException, as in Node, and changes no result', async (t) => {
  const { files } = site(t)
  const script = `
    import { subscribe } from 'node:diagnostics_channel'
    const events = []
    process.on('uncaughtException', ({ message }) => events.push(message))
    subscribe('certswap:reload:settled', () => { throw new Error('boom') })
    subscribe('certswap:reload:settled', ({ result }) => events.push(result.outcome))
    const engine = await api.createReloadEngine({ ...${JSON.stringify(files)}, logger: console })
    const { outcome } = await engine.reload()
    await engine.close()
    setImmediate(() => process.stdout.write(JSON.stringify([outcome, ...events].sort())))
  `
  const { code, stdout } = await runModule(t, script, {})
  assert.equal(code, 0)
  assert.ok(stdout.endsWith('["boom","unchanged","unchanged"]'), stdout)
})

interface SiteWithEngine {
  readonly engine: ReloadEngine
  readonly files: PairFiles
  renew(): string
}

async function engineWith(t: TestContext, logger: Logger, more: object = {}): Promise<SiteWithEngine> {
  const { files, renew } = site(t)
  const engine = await createReloadEngine({ ...files, logger, ...more })
  t.after(() => engine.close())
  return { engine, files, renew }
}

function site(t: TestContext): { files: PairFiles; renew(): string } {
  const authority: Authority = createAuthority()
  const files = writePair(tempDir(t), authority.issue())
  const renew = () => {
    const leaf = authority.issue()
    renameInto(files.key, leaf.keyPem)
    renameInto(files.cert, leaf.chainPem)
    return leaf.fingerprint256
  }
  return { files, renew }
}

/** Code and message of each warning that certswap emits during a test. */
function warningsOf(t: TestContext): string[] {
  const warnings: string[] = []
  const listener = ({ name, message, ...more }: Error) => {
    if (name === 'CertswapWarning') warnings.push(`${(more as { code?: string }).code} ${message}`)
  }
  process.on('warning', listener)
  t.after(() => process.off('warning', listener))
  return warnings
}

async function failures(metrics: { text(): Promise<string> }, callback: string): Promise<number> {
  const text = await metrics.text()
  return Number(
    new RegExp(`^certswap_callback_failures_total\\{callback="${callback}"\\} (\\d+)$`, 'm').exec(text)?.[1],
  )
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
