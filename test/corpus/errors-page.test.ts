/*
 * docs/errors.md explains every code, with its exact messages: the corpus has the examples of a worker's findings, and this
 * file has all others.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'
import { MessageChannel } from 'node:worker_threads'

import { systemClock } from '../../src/main/base/clock.js'
import { loggerUnavailable } from '../../src/main/base/logger.js'
import { listenOnLoopback } from '../../src/main/control/loopback.js'
import { assertParent, replaceable } from '../../src/main/control/socket-path.js'
import { type EngineParts, startEngine } from '../../src/main/engine/engine.js'
import { createLastGoodKeeper } from '../../src/main/feed/last-good-keeper.js'
import { type LastGoodPlace, LastGoodStore } from '../../src/main/feed/last-good-store.js'
import { shareEngine } from '../../src/main/fleet/index.js'
import { MESSAGES_VERSION, type ToMember } from '../../src/main/fleet/messages.js'
import type { Host } from '../../src/main/generation/host.js'
import { HostTable } from '../../src/main/generation/host-table.js'
import { runAtOnce } from '../../src/main/generation/slices.js'
import {
  type Delivery,
  PROBLEM_CODES,
  type Problem,
  type ProblemCode,
  type ReloadEngine,
  type ReloadError,
  runtimeSupport,
  SourceError,
} from '../../src/main/index.js'
import { hostWarnings } from '../../src/main/prepare/host-warnings.js'
import { assertOptionsSupported } from '../../src/main/runtime/runtime-support.js'
import { unavailable } from '../../src/main/threads/task-error.js'
import { warningOf } from '../../src/workers/file-warnings.js'
import type { MaterialSources } from '../../src/workers/protocol/material.js'
import { eventually } from '../../support/base/eventually.js'
import { recordingLogger } from '../../support/base/recording-logger.js'
import { asDocumented, documentedErrors } from '../../support/docs/documented-errors.js'
import { certificateFacts } from '../../support/engine/pass-reports.js'
import { servedHost } from '../../support/engine/served-host.js'
import { numberedDelivery, writeHeld } from '../../support/feed/last-good-site.js'
import { writePair } from '../../support/files/files.js'
import { selfSigned } from '../../support/material/certificates.js'
import { createEcho, listen } from '../../support/servers/echo-server.js'
import { deliveryOf, MemorySource } from '../../support/sources/memory-source.js'
import { poisons } from '../../support/worker/poisons.js'
import { type Behaviour, misbehaveIn, standIn } from '../../support/worker/stand-in.js'
import { codesOf, type Group, type Row } from './corpus.js'
import * as certificate from './rows/certificate.js'
import * as chain from './rows/chain.js'
import * as dates from './rows/dates.js'
import * as key from './rows/key.js'
import * as names from './rows/names.js'
import * as ocsp from './rows/ocsp.js'
import * as options from './rows/options.js'
import * as peers from './rows/peers.js'
import * as pkcs12 from './rows/pkcs12.js'
import * as purpose from './rows/purpose.js'
import * as reading from './rows/reading.js'
import * as revocation from './rows/revocation.js'
import * as trust from './rows/trust.js'
import { createSite, pairOptions, rightPair, root, type Site } from './site.js'

const topics = [
  certificate,
  chain,
  dates,
  key,
  names,
  ocsp,
  options,
  pkcs12,
  purpose,
  reading,
  peers,
  revocation,
  trust,
]
const rows: readonly Row[] = topics
  .flatMap((topic) => Object.values<Group | readonly Group[]>(topic).flat() as Group[])
  .flatMap((group) => group.rows)

test('the page has one row for every code, in the order of the list', () => {
  assert.deepEqual([...documentedErrors().keys()], [...PROBLEM_CODES])
})

test('every row of the page explains the code, the action, and an example message', () => {
  for (const [code, { meaning, remedy, example }] of documentedErrors()) {
    assert.ok(meaning && remedy && example, code)
  }
})

test('every code that a worker can report is in the corpus', () => {
  const shown = new Set(rows.flatMap(codesOf))
  const missing = codesOfWorkers().filter((code) => !shown.has(code) && !(code in elsewhere))
  assert.deepEqual(missing, [])
})

test('every code has an example that a test compares with the page', () => {
  const held = [...rows.flatMap(({ example }) => example ?? []), ...Object.keys(elsewhere), PERMISSIONS]
  assert.deepEqual([...PROBLEM_CODES].sort(), held.sort())
})

test('the corpus is not smaller than promised', () => {
  assert.ok(rows.length >= 80, `${rows.length} rows`)
})

/** test/integration/files/permissions.test.ts, which has another user for it, compares its example with the page. */
const PERMISSIONS = 'FILE_UNREADABLE'

/** Codes that no file can cause, and how to get their messages. */
const elsewhere: Partial<Record<ProblemCode, (t: TestContext, site: Site) => Promise<string | undefined>>> = {
  OPTIONS_INVALID: (_, site) => refusal(startEngine({ cert: site.path('tls.crt') })),
  GENERATION_UNKNOWN: async (t, site) => refusal((await open(t, site)).rollback()),
  ABORTED: async (t, site) => refusal((await open(t, site)).reload({ signal: AbortSignal.abort() })),
  async CLOSED(t, site) {
    const engine = await open(t, site)
    await engine.close()
    return refusal(engine.reload())
  },
  FILE_MOUNTED: async (_, site) => mountedFile(site, false),
  FILE_DETACHED: async (_, site) => mountedFile(site, true),
  WORKER_TIMEOUT: (t, site) => afterMisbehaviour(t, site, 'prepare', 'never-settles', 'WORKER_TIMEOUT'),
  WORKER_UNAVAILABLE: async (_, site) => {
    const remedy = 'correct these files, or restore the storage that they are on'
    return unavailable({ where: `${site.path('tls.key')} (for 31 s)`, remedy }).message
  },
  async MATERIAL_UNPROCESSABLE(t, site) {
    const poison = poisons(t)
    const engine = await open(t, site, { workerTasks: standIn('poisoned') })
    poison.add(rightPair(site).certPem, 'throws')
    return messageOf('MATERIAL_UNPROCESSABLE', (await engine.reload()).problems)
  },
  WORKER_CRASHED: (t, site) => afterMisbehaviour(t, site, 'prepare', 'exits', 'WORKER_CRASHED'),
  SERVED_UNVERIFIED: (t, site) => afterMisbehaviour(t, site, 'verify', 'exits', 'SERVED_UNVERIFIED'),
  SERVED_MISMATCH: (t, site) => afterRenewal(t, site, 'sees-others', 'SERVED_MISMATCH'),
  async SERVED_OTHER(t, site) {
    const engine = await open(t, site)
    const server = await serve(t, engine)
    const { chainPem: cert, keyPem: key } = selfSigned()
    server.addContext('localhost', { cert, key })
    const message = await reloaded(engine, site, 'SERVED_OTHER')
    return message?.replace(/\([0-9A-F:]{95}\)/, '(14:7B:1C:D0)')
  },
  async SERVER_OVERRIDDEN(t, site) {
    const engine = await open(t, site)
    const server = await serve(t, engine)
    const { chainPem: cert, keyPem: key } = selfSigned()
    server.setSecureContext({ cert, key })
    return messageOf('SERVER_OVERRIDDEN', (await engine.reload()).warnings)
  },
  CONTEXT_REFUSED: (t, site) => afterRenewal(t, site, 'prepares-garbage', 'CONTEXT_REFUSED'),
  async TRUST_WITHDRAWN(t, site) {
    const engine = await open(t, site)
    const server = createEcho(engine.serverOptions())
    engine.attach(server)
    const client = connect(await listen(t, server), '127.0.0.1').on('error', () => {})
    t.after(() => client.destroy())
    await once(server, 'connection')
    const refused = once(server, 'tlsClientError')
    site.write('ca.pem', root.certPem)
    await engine.update({ ca: site.path('ca.pem'), requestCert: true })
    const [error] = (await refused) as [Error]
    return error.message
  },
  async PEER_NOT_ALLOWED(t, site) {
    const engine = await openForPeers(t, site)
    const server = createEcho(engine.serverOptions())
    engine.attach(server)
    const { certPem: cert, keyPem: key } = root.issue({ names: ['intern.example'] })
    const refused = once(server, 'tlsClientError')
    const client = tls.connect({ port: await listen(t, server), cert, key, rejectUnauthorized: false })
    t.after(() => client.destroy())
    client.on('error', () => {})
    const [error] = (await refused) as [Error]
    return error.message
  },
  async PEER_NOT_VERIFIED(t, site) {
    const engine = await openForPeers(t, site)
    return messageOf('PEER_NOT_VERIFIED', (await engine.admits(selfSigned().certPem)).problems)
  },
  async RUNTIME_UNSUPPORTED() {
    const support = { ...(await runtimeSupport()), name: 'Deno', version: '2.9.6' } as const
    const sources = { crl: ['/etc/tls/ca.crl'] } as unknown as MaterialSources
    const peers = { requestCert: false, rejectUnauthorized: true }
    const without = { ...support, revocationLists: 'a revoked client is accepted' }
    return await refusal(async () => assertOptionsSupported({ peers, sources }, without))
  },
  async LOGGER_UNAVAILABLE() {
    return loggerUnavailable(new Error('Dynamic require of "node:os" is not supported')).message
  },
  async SUPERSEDED(t, site) {
    const engine = await open(t, site, {
      workerTasks: standIn('gated'),
    })
    rightPair(site)
    await engine.reload()
    writeFileSync(site.path('gate'), '')
    rightPair(site)
    const late = engine.reload()
    await eventually('a renewal is being prepared', () => existsSync(site.path('held')))
    await engine.rollback()
    site.remove('gate')
    return messageOf('SUPERSEDED', (await late).problems)
  },
  MEMBER_REFUSED: (t, site) =>
    afterMember(t, site, 'MEMBER_REFUSED', {
      kind: 'refused',
      problems: [{ code: 'CONTEXT_REFUSED', message: 'the TLS context could not be built' }],
    }),
  MEMBER_TIMEOUT: (t, site) => afterMember(t, site, 'MEMBER_TIMEOUT', null),
  MEMBER_EVICTED: (t, site) => afterMember(t, site, 'MEMBER_EVICTED', null),
  async HOST_AMBIGUOUS(t, site) {
    const directory = site.path('hosts/a.example')
    mkdirSync(directory, { recursive: true })
    writePair(directory, site.leaf())
    writePair(directory, site.leaf(), { cert: 'fullchain.pem', key: 'privkey.pem' })
    const options = { ...pairOptions(site), hosts: site.path('hosts/*'), logger: recordingLogger() }
    const engine = await startEngine(options)
    t.after(() => engine.close())
    return messageOf('HOST_AMBIGUOUS', (await engine.reload()).problems)
  },
  async HOST_NAME_TAKEN(_, site) {
    const [old, renewed] = [documentedHost(site, 'old', 'EC', 1), documentedHost(site, 'new', 'EC', 2)]
    const table = runAtOnce(HostTable.empty.after([old, renewed], []))
    return messageOf('HOST_NAME_TAKEN', runAtOnce(hostWarnings(table, [renewed], [old.facts], false)))
  },
  async HOST_KEY_TYPE(_, site) {
    const host = documentedHost(site, 'a', 'RSA 2048', 1)
    return messageOf(
      'HOST_KEY_TYPE',
      runAtOnce(hostWarnings(HostTable.empty, [host], [certificateFacts()], true)),
    )
  },
  async HOST_UNREACHABLE(_, site) {
    site.makeDirectory('hosts')
    site.makeDirectory('hosts/a')
    const { chainPem, keyPem } = site.leaf({ names: [], ips: ['192.0.2.1'] })
    site.write('hosts/a/tls.crt', chainPem)
    site.write('hosts/a/tls.key', keyPem)
    const hosts = site.path('hosts/*')
    const message = await refusal(startEngine({ ...pairOptions(site), hosts, policy: { hosts: 'together' } }))
    return message.replace('the first load failed: ', '')
  },
  SOURCE_UNREACHABLE: (t) => afterSourceAnswers(t, () => fail('ECONNREFUSED')),
  SOURCE_DENIED: (t) =>
    afterSourceAnswers(t, () => refuse('SOURCE_DENIED', 'http://etcd.example:2379 answered 403')),
  SOURCE_TIMEOUT: (t) => afterSourceAnswers(t, () => new Promise(() => {})),
  SOURCE_INVALID: (t) => {
    const pair = { cert: 'x', key: 'x' }
    return afterSourceAnswers(t, () => ({ version: '2', pairs: [pair, { cert: 'x', key: 1 as never }] }))
  },
  SOURCE_WITHDRAWN: (t) =>
    afterSourceAnswers(t, () => refuse('SOURCE_WITHDRAWN', 'there is no key below certswap/web/')),
  async LAST_GOOD_TORN(_, site) {
    await keptAt(site)
    const bytes = readFileSync(site.path('kept/last-good'))
    site.write('kept/last-good', bytes.fill(0, bytes.length - 10))
    return refusal(lastGoodAt(site).read())
  },
  async LAST_GOOD_TRUNCATED(_, site) {
    await keptAt(site)
    site.write('kept/last-good', readFileSync(site.path('kept/last-good')).subarray(0, 100))
    return (await refusal(lastGoodAt(site).read())).replace(/of \d+ bytes/, 'of 2048 bytes')
  },
  async LAST_GOOD_FOREIGN(_, site) {
    await keptAt(site)
    return refusal(lastGoodAt(site, { source: 'redis' }).read())
  },
  async LAST_GOOD_REPLAYED(_, site) {
    const store = await keptAt(site)
    const older = readFileSync(site.path('kept/last-good'))
    await writeHeld(store, numberedDelivery(2))
    site.write('kept/last-good', older)
    return refusal(lastGoodAt(site).read())
  },
  async LAST_GOOD_OPEN(_, site) {
    await keptAt(site)
    chmodSync(site.path('kept/last-good'), 0o644)
    return refusal(lastGoodAt(site).read())
  },
  LAST_GOOD_UNREADABLE: (_, site) =>
    refusal(lastGoodAt(site, { keyFile: site.path('last-good.key') }).read()),
  async LAST_GOOD_UNWRITTEN(_, site) {
    site.makeDirectory('kept')
    site.makeDirectory('kept/last-good')
    const problems: Problem[] = []
    const keeper = createLastGoodKeeper({
      ...placeAt(site),
      clock: systemClock,
      onFailed: (problem) => problems.push(problem),
      onWritten() {},
    })
    await keeper.keep(numberedDelivery(1), false)
    await keeper.close()
    return problems[0]?.message
  },
  SOURCE_OLDER: (t) => afterSourceAnswers(t, () => deliveryOf(root.issue(), '2', { revision: 7 })),
  CONTROL_PATH_UNSAFE: (_, site) => refusal(async () => assertParent(site.path('run/control.sock'))),
  async CONTROL_PATH_IN_USE(t, site) {
    await listening(t, createServer().listen(site.path('control.sock')))
    return refusal(replaceable(site.path('control.sock'), false))
  },
  async CONTROL_UNAVAILABLE(t) {
    const port = await listen(t, createServer())
    return refusal(listenOnLoopback(createServer(), '127.0.0.1', port))
  },
}

for (const [code, come] of Object.entries(elsewhere)) {
  test(`the page shows ${code} with its exact message`, async (t) => {
    const site = createSite(t)
    rightPair(site)
    const message = asDocumented((await come(t, site)) ?? '', site.dir)
    assert.equal(documentedErrors().get(code)?.example, message.replace(/ (4000|1000) ms/, ' 10000 ms'))
  })
}

const TIMEOUT_MS = 4000
/** Members answer within milliseconds, or not at all. */
const MEMBER_TIMEOUT_MS = 1000

async function openForPeers(t: TestContext, site: Site): Promise<ReloadEngine> {
  rightPair(site)
  site.write('ca.pem', root.certPem)
  const peers = { allow: [{ dns: 'web.example' }] }
  const trust = { ca: site.path('ca.pem'), requestCert: true, peers }
  const engine = await startEngine({ ...pairOptions(site), ...trust, logger: recordingLogger() })
  t.after(() => engine.close())
  return engine
}

async function open(t: TestContext, site: Site, parts: EngineParts = {}): Promise<ReloadEngine> {
  const worker = { timeoutMs: TIMEOUT_MS }
  const engine = await startEngine({ ...pairOptions(site), worker, logger: recordingLogger() }, parts)
  t.after(() => engine.close())
  return engine
}

/** The message of a pass in which the source answers so. */
async function afterSourceAnswers(
  t: TestContext,
  answer: () => Delivery | Promise<Delivery>,
): Promise<string | undefined> {
  const source = Object.assign(new MemorySource(deliveryOf(root.issue(), '1', { revision: 8 })), {
    name: 'etcd',
  })
  const engine = await startEngine({ source, sourceTimeoutSeconds: 0.1, logger: recordingLogger() })
  t.after(() => engine.close())
  source.answer = answer
  return (await engine.reload()).problems[0]?.message
}

function fail(code: string): never {
  throw Object.assign(new Error(code), { code })
}

function refuse(code: 'SOURCE_DENIED' | 'SOURCE_WITHDRAWN', message: string): never {
  throw new SourceError(code, message)
}

function placeAt(site: Site): LastGoodPlace {
  return { dir: site.path('kept'), keyFile: null, source: 'etcd', identity: '' }
}

function lastGoodAt(site: Site, changes: Partial<LastGoodPlace> = {}): LastGoodStore {
  return new LastGoodStore({ ...placeAt(site), ...changes })
}

/** Keeps a delivery. */
async function keptAt(site: Site): Promise<LastGoodStore> {
  const store = lastGoodAt(site)
  await writeHeld(store, numberedDelivery(1))
  return store
}

/** The message about a file that is a mount point; test/integration/files/mounted-files.test.ts has real mounts. */
function mountedFile(site: Site, isSourceGone: boolean): string | undefined {
  const mounts = { isSourceGone: () => isSourceGone, hasName: () => true, hasNameLike: () => true }
  return warningOf({ path: site.path('tls.crt') }, mounts)[0]?.message
}

async function afterMisbehaviour(
  t: TestContext,
  site: Site,
  phase: 'prepare' | 'verify',
  name: 'exits' | 'never-settles',
  code: ProblemCode,
): Promise<string | undefined> {
  const engine = await open(t, site, { workerTasks: standIn('misbehaves') })
  await serve(t, engine)
  if (phase === 'verify') await reloaded(engine, site, code)
  misbehaveIn(phase, site.path('tls.crt'), name)
  return await reloaded(engine, site, code)
}

async function afterRenewal(
  t: TestContext,
  site: Site,
  behaviour: Behaviour,
  code: ProblemCode,
): Promise<string | undefined> {
  const engine = await open(t, site, { workerTasks: standIn(behaviour) })
  await serve(t, engine)
  return await reloaded(engine, site, code)
}

async function serve(t: TestContext, engine: ReloadEngine): Promise<tls.Server> {
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  await listen(t, server)
  return server
}

async function reloaded(engine: ReloadEngine, site: Site, code: ProblemCode): Promise<string | undefined> {
  rightPair(site)
  const { problems, warnings } = await engine.reload()
  return messageOf(code, [...problems, ...warnings])
}

/** The result of a reload with a member that joins, and then gives this answer, or none. */
async function afterMember(
  t: TestContext,
  site: Site,
  code: ProblemCode,
  answer: object | null,
): Promise<string | undefined> {
  const engine = await open(t, site)
  const shared = shareEngine(engine, { timeoutMs: MEMBER_TIMEOUT_MS })
  const { port1, port2 } = new MessageChannel()
  t.after(() => port2.close())
  const send = (message: object) =>
    port2.postMessage({ certswap: 'default', version: MESSAGES_VERSION, message })
  const report = {
    generation: 1,
    servers: 0,
    connections: {},
    listeners: [],
    policies: [],
    refusedPeers: { PEER_NOT_ALLOWED: 0, TRUST_DOMAIN: 0 },
  }
  let number = 0
  port2.on('message', ({ message }: { message: ToMember }) => {
    if (message.kind === 'stage') number = message.snapshot.generation.number
    if (number > 1) {
      if (answer) send({ ...answer, number })
    } else if (message.kind === 'stage') send({ kind: 'staged', number, longestSliceMs: 0, report })
    else if (message.kind === 'commit') send({ kind: 'committed', number, longestSliceMs: 0, report })
  })
  shared.add(port1)
  send({ kind: 'join', pid: 4711, threadId: 0 })
  await eventually('the member has joined', () => shared.members().length === 1)
  const message = await reloaded(engine, site, code)
  if (code !== 'MEMBER_EVICTED') return message
  await reloaded(engine, site, code)
  return await reloaded(engine, site, code)
}

function documentedHost(site: Site, name: string, keyType: string, year: number): Host {
  const notAfter = `204${year}-01-31T00:00:00.000Z`
  const facts = certificateFacts({ names: ['a.example'], keyType, notAfter })
  return servedHost(site.path(`hosts/${name}`), facts)
}

function messageOf(code: ProblemCode, problems: readonly Problem[]): string | undefined {
  return problems.find((problem) => problem.code === code)?.message
}

async function refusal(act: Promise<unknown> | (() => Promise<unknown>)): Promise<string> {
  try {
    await (typeof act === 'function' ? act() : act)
  } catch (error) {
    return (error as ReloadError).message
  }
  assert.fail('nothing was refused')
}

async function listening(t: TestContext, server: Server): Promise<void> {
  await once(server, 'listening')
  t.after(() => server.close())
}

/** Every code in the sources of the worker, except in the list of all codes. */
function codesOfWorkers(): ProblemCode[] {
  const dir = new URL('../../src/workers/', import.meta.url).pathname
  const sources = readdirSync(dir)
    .filter((name) => name.endsWith('.js') && name !== 'problem.js')
    .map((name) => readFileSync(join(dir, name), 'utf8'))
    .join('\n')
  return PROBLEM_CODES.filter((code) => sources.includes(`'${code}'`))
}
