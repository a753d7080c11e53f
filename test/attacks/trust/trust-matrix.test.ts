/*
 * Every way of changing trust against every way of reconnecting. docs/threat-model.md shows the table; the last test keeps it
 * equal to the observed results.
 */

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import type tls from 'node:tls'

import {
  createReloadEngine,
  type EngineChanges,
  type ReloadEngine,
  type ReloadEngineOptions,
} from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import {
  type Admission,
  type ClientOptions,
  connectFully,
  createGreeter,
  type Outcome,
  openOnly,
  stopHalfWay,
} from '../../../support/clients/admission.js'
import { assertApplied } from '../../../support/engine/engines.js'
import { clientOf } from '../../../support/engine/peer-site.js'
import type { ReplicaAnswer, ReplicaOrder } from '../../../support/engine/trust-replica.js'
import { overwriteInPlace, subdirectory, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

/** Kinds of trust changes: handshakes in progress survive unless trust shrank. */
type Direction = 'narrower' | 'wider' | 'same'

interface Identity {
  readonly cert?: string
  readonly key?: string
}

/** Trust before a change, and the change. */
interface Change {
  readonly direction: Direction
  /** A client that the change no longer admits, if there is one. */
  readonly lost?: Identity
  readonly options: Partial<ReloadEngineOptions>
  /** Makes an earlier generation for a rollback. */
  prepare?(engines: Engines): Promise<void>
  change(engines: Engines): Promise<void>
  /** Serves from a fleet member instead of the engine itself. */
  readonly inFleet?: boolean
}

/** The engine, and that of the other process: both make the same changes. */
interface Engines {
  reload(): Promise<void>
  update(changes: EngineChanges): Promise<void>
  rollback(options: { trust: boolean }): Promise<void>
  renew(): void
}

const [authorityA, authorityB, serverAuthority] = [
  createAuthority(),
  createAuthority(),
  createAuthority(),
] as const
const intermediate = authorityA.issueAuthority()
const clientA = clientOf(authorityA)
const clientB = clientOf(authorityB)
const serialA = authorityA.issue({ extendedKeyUsage: 'client' })
const revokedA: Identity = { cert: serialA.certPem, key: serialA.keyPem }

const bundle = (...authorities: readonly Authority[]) => authorities.map(({ certPem }) => certPem).join('')
const listsOf = (...revoked: string[]) => authorityA.crl({ revoked }) + authorityB.crl()

function anchorRemoved(dir: string): Change {
  const ca = write(dir, 'ca.pem', bundle(authorityA, authorityB))
  return {
    ...{ direction: 'narrower', lost: clientA, options: { ca } },
    change: rewritten(ca, bundle(authorityB)),
  }
}

function anchorAdded(dir: string): Change {
  const ca = write(dir, 'ca.pem', bundle(authorityB))
  return {
    ...{ direction: 'wider', options: { ca } },
    change: rewritten(ca, bundle(authorityA, authorityB)),
  }
}

/** Writes a trust file, and reloads both engines. */
function rewritten(path: string, content: string): Change['change'] {
  return async (engines) => {
    overwriteInPlace(path, content)
    await engines.reload()
  }
}

const CHANGES: Readonly<Record<string, (dir: string) => Change>> = {
  'CA file: anchor removed': anchorRemoved,
  'CA directory: anchor removed': (dir) => {
    const caDir = subdirectory(dir, 'ca.d')
    write(caDir, 'b.pem', bundle(authorityB))
    const a = write(caDir, 'a.pem', bundle(authorityA))
    return {
      ...{ direction: 'narrower', lost: clientA, options: { caDir } },
      async change(engines) {
        rmSync(a)
        await engines.reload()
      },
    }
  },
  'CRL: certificate revoked': (dir) => {
    const ca = write(dir, 'ca.pem', bundle(authorityA, authorityB))
    const crl = write(dir, 'crl.pem', listsOf())
    return {
      ...{ direction: 'narrower', lost: revokedA, options: { ca, crl } },
      change: rewritten(crl, listsOf(serialA.serial)),
    }
  },
  '`update({ crl })`: first list': (dir) => {
    const ca = write(dir, 'ca.pem', bundle(authorityA, authorityB))
    const crl = write(dir, 'crl.pem', listsOf(serialA.serial))
    return {
      ...{ direction: 'narrower', lost: revokedA, options: { ca } },
      change: (engines) => engines.update({ crl }),
    }
  },
  '`update({ ca })`: other file': (dir) => {
    const [ca, other] = [
      write(dir, 'ca.pem', bundle(authorityA, authorityB)),
      write(dir, 'b.pem', bundle(authorityB)),
    ]
    return {
      ...{ direction: 'narrower', lost: clientA, options: { ca } },
      change: (engines) => engines.update({ ca: other }),
    }
  },
  'policy: certificate requested': (dir) => ({
    direction: 'narrower',
    lost: {},
    options: { ca: write(dir, 'ca.pem', bundle(authorityB)), requestCert: false },
    change: (engines) => engines.update({ requestCert: true }),
  }),
  'policy: certificate required': (dir) => ({
    direction: 'narrower',
    lost: clientA,
    options: { ca: write(dir, 'ca.pem', bundle(authorityB)), rejectUnauthorized: false },
    change: (engines) => engines.update({ rejectUnauthorized: true }),
  }),
  '`allowPartialTrustChain` off': (dir) => ({
    direction: 'narrower',
    lost: clientOf(intermediate),
    options: {
      ca: write(dir, 'ca.pem', bundle(intermediate, authorityB)),
      tls: { allowPartialTrustChain: true },
    },
    change: (engines) => engines.update({ tls: { allowPartialTrustChain: false } }),
  }),
  'rollback with trust: anchor gone again': (dir) => {
    const ca = write(dir, 'ca.pem', bundle(authorityB))
    return {
      ...{ direction: 'narrower', lost: clientA, options: { ca } },
      prepare: rewritten(ca, bundle(authorityA, authorityB)),
      change: (engines) => engines.rollback({ trust: true }),
    }
  },
  'fleet member: anchor removed': (dir) => ({ ...anchorRemoved(dir), inFleet: true }),
  'CA file: anchor added': anchorAdded,
  '`update({ crl: undefined })`: no list': (dir) => {
    const ca = write(dir, 'ca.pem', bundle(authorityA, authorityB))
    const crl = write(dir, 'crl.pem', listsOf())
    return {
      ...{ direction: 'wider', options: { ca, crl } },
      change: (engines) => engines.update({ crl: undefined }),
    }
  },
  'policy: certificate not required': (dir) => ({
    direction: 'wider',
    options: { ca: write(dir, 'ca.pem', bundle(authorityB)) },
    change: (engines) => engines.update({ rejectUnauthorized: false }),
  }),
  'fleet member: anchor added': (dir) => ({ ...anchorAdded(dir), inFleet: true }),
  'rollback without trust': (dir) => {
    const ca = write(dir, 'ca.pem', bundle(authorityB))
    return {
      ...{ direction: 'same', options: { ca } },
      prepare: rewritten(ca, bundle(authorityA, authorityB)),
      change: (engines) => engines.rollback({ trust: false }),
    }
  },
  'leaf renewed': (dir) => ({
    direction: 'same',
    options: { ca: write(dir, 'ca.pem', bundle(authorityB)) },
    async change(engines) {
      engines.renew()
      await engines.reload()
    },
  }),
}

/** The server that a client connected to, and the one that it reconnects to. */
interface Place {
  readonly server: tls.Server
  readonly port: number
}

interface Places extends Readonly<Record<'main' | 'cache' | 'other', Place>> {
  readonly replicaPort: number
}

/** Runs the client before the change; the returned function runs it after the change. */
type Way = (places: Places, identity: Identity) => Promise<() => Promise<Outcome>>

const HOST = { servername: 'a.test' }

const WAYS: Readonly<Record<string, Way>> = {
  'a new connection':
    async ({ main }, identity) =>
    () =>
      connectFully({ ...identity, port: main.port, version: 'TLSv1.3' }),
  'a session id in an external cache, TLS 1.2': ({ cache }, identity) =>
    withSession({ ...identity, port: cache.port, version: 'TLSv1.2', withoutTickets: true }),
  'a ticket, TLS 1.2': ({ main }, identity) =>
    withSession({ ...identity, port: main.port, version: 'TLSv1.2' }),
  'a ticket (PSK), TLS 1.3': ({ main }, identity) =>
    withSession({ ...identity, port: main.port, version: 'TLSv1.3' }),
  'a ticket of an SNI host, TLS 1.2': ({ main }, identity) =>
    withSession({ ...identity, ...HOST, port: main.port, version: 'TLSv1.2' }),
  'a ticket of an SNI host, TLS 1.3': ({ main }, identity) =>
    withSession({ ...identity, ...HOST, port: main.port, version: 'TLSv1.3' }),
  'a ticket of an SNI host, at the default name, TLS 1.3': ({ main }, identity) =>
    withSession({ ...identity, ...HOST, port: main.port, version: 'TLSv1.3' }, { servername: 'localhost' }),
  'a ticket, at another server of the engine, TLS 1.3': ({ main, other }, identity) =>
    withSession({ ...identity, port: main.port, version: 'TLSv1.3' }, { port: other.port }),
  'a ticket, at another process with the same secret, TLS 1.3': ({ main, replicaPort }, identity) =>
    withSession({ ...identity, port: main.port, version: 'TLSv1.3' }, { port: replicaPort }),
  'a connection that was open before, TLS 1.2': ({ main }, identity) =>
    openOnly(main.server, { ...identity, port: main.port, version: 'TLSv1.2' }),
  'a connection that was open before, TLS 1.3': ({ main }, identity) =>
    openOnly(main.server, { ...identity, port: main.port, version: 'TLSv1.3' }),
  'a connection that was open before, SNI host, TLS 1.3': ({ main }, identity) =>
    openOnly(main.server, { ...identity, ...HOST, port: main.port, version: 'TLSv1.3' }),
  'a handshake in progress, TLS 1.2': ({ main }, identity) =>
    stopHalfWay(main.server, { ...identity, port: main.port, version: 'TLSv1.2' }),
  'a handshake in progress, TLS 1.3': ({ main }, identity) =>
    stopHalfWay(main.server, { ...identity, port: main.port, version: 'TLSv1.3' }),
  'a handshake in progress, SNI host, TLS 1.3': ({ main }, identity) =>
    stopHalfWay(main.server, { ...identity, ...HOST, port: main.port, version: 'TLSv1.3' }),
  'a resumption in progress, TLS 1.3': async ({ main }, identity) => {
    const client = { ...identity, port: main.port, version: 'TLSv1.3' } as const
    return await stopHalfWay(main.server, { ...client, session: await sessionOf(client) })
  },
}

/** Depends on OpenSSL: some releases neither issue nor accept a ticket for another name. */
const EITHER = 'full or resumed'

/** The expected results. */
function required(
  direction: Direction,
  way: string,
): { readonly lost: Admission; readonly kept: Admission | typeof EITHER } {
  const kept = () => {
    if (way === 'a new connection') return 'full'
    if (way.includes('at the default name') && direction === 'same') return EITHER
    if (way.startsWith('a resumption')) return direction === 'narrower' ? 'refused' : 'resumed'
    if (/^a (ticket|session)/.test(way)) return direction === 'same' ? 'resumed' : 'full'
    return direction === 'narrower' ? 'refused' : 'full'
  }
  return { lost: 'refused', kept: kept() }
}

const observed = new Map<string, Map<string, string>>()

for (const [what, describe] of Object.entries(CHANGES)) {
  test(`trust matrix: ${what}`, async (t) => {
    const dir = tempDir(t)
    const change = describe(dir)
    const { engines, places } = await open(t, change)
    const identities = { kept: clientB, ...(change.lost ? { lost: change.lost } : {}) }
    const attempts: { way: string; who: 'kept' | 'lost'; goOn: () => Promise<Outcome> }[] = []
    for (const [way, begin] of Object.entries(WAYS)) {
      for (const who of ['lost', 'kept'] as const) {
        const identity = identities[who]
        if (identity) attempts.push({ way, who, goOn: await begin(places, identity) })
      }
    }
    await change.change(engines)
    const cells = new Map<string, string>()
    const failures: string[] = []
    for (const { way, who, goOn } of attempts) {
      const { admission } = await goOn()
      const wanted = required(change.direction, way)[who]
      const fits = wanted === EITHER ? admission !== 'refused' : admission === wanted
      if (!fits) failures.push(`${way}, ${who}: ${admission}, not ${wanted}`)
      cells.set(way, [cells.get(way) ?? [], fits ? wanted : admission].flat().join(' / '))
    }
    observed.set(what, cells)
    assert.deepEqual(failures, [])
  })
}

test('the matrix has more than a hundred cells, and docs/threat-model.md shows the observed results', (t) => {
  const cells = [...observed.values()].reduce((sum, row) => sum + row.size, 0)
  assert.ok(cells > 100, `${cells} cells`)
  t.diagnostic(`${cells} cells`)
  const table = tableOf(observed)
  console.log(table)
  const page = new URL('../../../../docs/threat-model.md', import.meta.url)
  if (process.env['CERTSWAP_WRITE_DOCS']) writeFileSync(page, withTable(readFileSync(page, 'utf8'), table))
  assert.ok(readFileSync(page, 'utf8').includes(table), `docs/threat-model.md lacks this table:\n${table}`)
})

/** One engine here and one in another process for the whole matrix: a row gives both other options and new servers. */
interface Site {
  readonly engine: ReloadEngine
  readonly replicaPort: number
  readonly engines: Engines
  close(): Promise<void>
}

let site: Promise<Site> | undefined
after(async () => (await site)?.close())

async function openSite(): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), 'certswap-'))
  const host = serverAuthority.issue({ names: ['a.test'] })
  const options: ReloadEngineOptions = {
    ...writePair(dir, serverAuthority.issue()),
    hosts: { 'a.test': writePair(dir, host, { cert: 'a.crt', key: 'a.key' }) },
    tickets: { secretFile: write(dir, 'tickets', randomBytes(48)) },
    ca: write(dir, 'ca.pem', bundle(authorityB)),
    requestCert: true,
    verifyServed: false,
  }
  const engine = await createReloadEngine({ ...options, logger: recordingLogger() })
  const child = fork(new URL('../../../support/engine/trust-replica.js', import.meta.url), {
    execArgv: [],
    serialization: 'advanced',
  })
  const command = async (order: ReplicaOrder): Promise<ReplicaAnswer> => {
    child.send(order)
    const [answer] = (await once(child, 'message')) as [ReplicaAnswer]
    assert.equal(answer.error, undefined)
    return answer
  }
  const { port = 0 } = await command({ kind: 'open', options })
  const engines: Engines = {
    async reload() {
      assertApplied(await engine.reload())
      await command({ kind: 'reload' })
    },
    async update(changes) {
      assertApplied(await engine.update(changes))
      await command({ kind: 'update', changes })
    },
    async rollback(options) {
      assertApplied(await engine.rollback(options))
      await command({ kind: 'rollback', ...options })
    },
    renew: () => void writePair(dir, serverAuthority.issue()),
  }
  async function close() {
    child.disconnect()
    await engine.close()
    rmSync(dir, { recursive: true })
  }
  return { engine, replicaPort: port, engines, close }
}

async function open(t: TestContext, change: Change): Promise<{ engines: Engines; places: Places }> {
  site ??= openSite()
  const { engine, engines, replicaPort } = await site
  const changes = { ...NOTHING_SPECIAL, ...change.options }
  await engines.update(changes)
  await change.prepare?.(engines)
  const serving = change.inFleet ? await joinHere(t, engine) : engine
  const [main, cache, other] = (await Promise.all([0, 1, 2].map(() => place(t, serving)))) as [
    Place,
    Place,
    Place,
  ]
  keepSessions(cache.server)
  return { engines, places: { main, cache, other, replicaPort } }
}

/** Options that another row may have left. */
const NOTHING_SPECIAL: EngineChanges = {
  ca: undefined,
  caDir: undefined,
  crl: undefined,
  requestCert: true,
  rejectUnauthorized: undefined,
  tls: { allowPartialTrustChain: false },
}

async function place(t: TestContext, engine: Pick<ReloadEngine, 'serverOptions' | 'attach'>): Promise<Place> {
  const server = createGreeter(engine.serverOptions())
  t.after(engine.attach(server))
  return { server, port: await listen(t, server) }
}

/** TLS 1.2 sessions that the application stores. */
function keepSessions(server: tls.Server): void {
  const kept = new Map<string, Buffer>()
  server.on('newSession', (id: Buffer, data: Buffer, done: () => void) => {
    kept.set(id.toString('hex'), data)
    done()
  })
  server.on('resumeSession', (id: Buffer, done: (error: null, data: Buffer | null) => void) => {
    done(null, kept.get(id.toString('hex')) ?? null)
  })
}

/** Connects, and then connects again with that session. */
async function withSession(
  first: ClientOptions,
  again: Partial<ClientOptions> = {},
): Promise<() => Promise<Outcome>> {
  const session = await sessionOf(first)
  return () => connectFully({ ...first, ...again, session })
}

async function sessionOf(client: ClientOptions): Promise<Buffer> {
  const { admission, session } = await connectFully(client)
  assert.equal(admission, 'full')
  assert.ok(session, 'no session was received')
  return session
}

function write(dir: string, name: string, content: string | Uint8Array): string {
  const path = join(dir, name)
  overwriteInPlace(path, content)
  return path
}

function tableOf(rows: ReadonlyMap<string, ReadonlyMap<string, string>>): string {
  const letters = Object.keys(WAYS).map((way, i) => [String.fromCharCode(65 + i), way] as const)
  return [
    ...letters.map(([letter, way]) => `- **${letter}**: ${way}`),
    '',
    `| change of trust | ${letters.map(([letter]) => letter).join(' | ')} |`,
    `| --- |${' --- |'.repeat(letters.length)}`,
    ...[...rows].map(
      ([what, cells]) => `| ${what} | ${letters.map(([, way]) => cells.get(way) ?? '').join(' | ')} |`,
    ),
  ].join('\n')
}

/** The page with this table in place of the old one. */
function withTable(page: string, table: string): string {
  const [head = ''] = page.split('\n- **A**: ')
  return `${head.trimEnd()}\n\n${table}\n`
}
