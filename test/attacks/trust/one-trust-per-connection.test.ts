/*
 * A connection is judged by one trust, that of the context which accepted it, and so is every session that it creates.
 * Attackers open connections early, handshake late, and keep what they got.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { type Duplex, duplexPair } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import tls, { type TLSSocket } from 'node:tls'

import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import {
  type ClientOptions,
  connectFully,
  createGreeter,
  greet,
  type Outcome,
  openOnly,
  stopHalfWay,
} from '../../../support/clients/admission.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { clientOf, identityOf } from '../../../support/engine/peer-site.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const [authorityA, authorityB, serverAuthority] = [
  createAuthority(),
  createAuthority(),
  createAuthority(),
] as const
const leafA = authorityA.issue({ extendedKeyUsage: 'client' })
const clientA = identityOf(leafA)
const clientB = clientOf(authorityB)
const bundle = (...authorities: readonly Authority[]) => authorities.map(({ certPem }) => certPem).join('')

/** Trust that admits A for a while: how it is widened and narrowed. */
interface Interlude {
  readonly options: (site: Site) => Partial<ReloadEngineOptions>
  widen(site: Running): Promise<unknown>
  narrow(site: Running): Promise<unknown>
}

const INTERLUDES: Readonly<Record<string, Interlude>> = {
  'a CA that was added and rolled back': {
    options: ({ ca }) => ({ ca: write(ca, bundle(authorityB)) }),
    widen: ({ reload, ca }) => reload(ca, bundle(authorityA, authorityB)),
    narrow: ({ engine }) => applied(engine.rollback({ trust: true })),
  },
  'a CA that was added and removed again': {
    options: ({ ca }) => ({ ca: write(ca, bundle(authorityB)) }),
    widen: ({ reload, ca }) => reload(ca, bundle(authorityA, authorityB)),
    narrow: ({ reload, ca }) => reload(ca, bundle(authorityB)),
  },
  'a revocation that was withdrawn and repeated': {
    options: ({ ca, crl }) => ({
      ca: write(ca, bundle(authorityA, authorityB)),
      crl: write(crl, authorityA.crl({ revoked: [leafA.serial] }) + authorityB.crl()),
    }),
    widen: ({ reload, crl }) => reload(crl, authorityA.crl() + authorityB.crl()),
    narrow: ({ reload, crl }) => reload(crl, authorityA.crl({ revoked: [leafA.serial] }) + authorityB.crl()),
  },
}

for (const version of VERSIONS) {
  for (const [what, { options, widen, narrow }] of Object.entries(INTERLUDES)) {
    test(`a connection that was open before ${what} yields no session that outlives it, over ${version}`, async (t) => {
      const site = await start(t, options)
      for (const servername of ['a.test', 'localhost']) {
        const client = { port: site.port, version, servername }
        const [early, earlyB] = [
          await openOnly(site.server, { ...client, ...clientA }),
          await openOnly(site.server, { ...client, ...clientB }),
        ]
        await widen(site)
        const during = await early()
        assert.equal(during.admission, 'refused', 'it is judged by the trust that accepted it')
        const duringB = await earlyB()
        const late = await connectFully({ ...client, ...clientA })
        assert.equal(late.admission, 'full', 'the wider trust is in force')
        await narrow(site)
        for (const { session } of [during, late]) {
          for (const again of ['a.test', 'localhost']) {
            const back = await connectFully({ ...client, ...clientA, servername: again, session })
            assert.equal(back.admission, 'refused', `${servername}, then ${again}`)
            assert.equal((await connectFully({ ...client, servername: again, session })).admission, 'refused')
          }
        }
        // The sessions of B were judged by the trust that is in force again.
        assert.equal(duringB.admission, what.startsWith('a CA') ? 'full' : 'refused')
      }
    })
  }

  test(`no client of a removed CA is admitted after the reload has been answered, whenever its handshake began, over ${version}`, async (t) => {
    const site = await start(t, ({ ca }) => ({ ca: write(ca, bundle(authorityA, authorityB)) }))
    let answered = false
    let late = 0
    site.server.prependListener('secureConnection', (socket: TLSSocket) => {
      if (answered && !socket.destroyed) late += 1
    })
    const admissions: Record<string, number> = {}
    for (let round = 0; round < 5; round++) {
      answered = false
      if (round > 0) await site.reload(site.ca, bundle(authorityA, authorityB))
      const reload = site.reload(site.ca, bundle(authorityB)).then(() => {
        answered = true
      })
      const clients: Promise<Outcome>[] = []
      while (!answered && clients.length < 30) {
        const servername = clients.length % 2 === 0 ? 'a.test' : 'localhost'
        clients.push(connectFully({ ...clientA, port: site.port, version, servername }))
        await pause(1)
      }
      await reload
      for (const { admission } of await Promise.all(clients))
        admissions[admission] = (admissions[admission] ?? 0) + 1
    }
    assert.equal(late, 0, JSON.stringify(admissions))
    t.diagnostic(JSON.stringify(admissions))
  })

  test(`handshakes in progress survive renewals and trust that grows, over ${version}`, async (t) => {
    const site = await start(t, ({ ca }) => ({ ca: write(ca, bundle(authorityB)) }))
    for (const servername of ['a.test', 'localhost']) {
      const client = { ...clientB, port: site.port, version, servername }
      const opened = await Promise.all([0, 1].map(() => openOnly(site.server, client)))
      const stopped = await Promise.all([0, 1].map(() => stopHalfWay(site.server, client)))
      writePair(site.dir, serverAuthority.issue())
      writePair(site.dir, serverAuthority.issue({ names: ['a.test'] }), HOST_FILES)
      assertApplied(await site.engine.reload())
      const [first, second] = [opened.pop(), stopped.pop()]
      assert.deepEqual(await admissionsOf(first, second), ['full', 'full'])
      await site.reload(site.ca, bundle(authorityA, authorityB))
      assert.deepEqual(await admissionsOf(...opened, ...stopped), ['full', 'full'])
      await site.reload(site.ca, bundle(authorityB))
    }
  })

  test(`every kind of connection in progress is closed when trust shrinks, over ${version}`, async (t) => {
    const site = await start(t, ({ ca }) => ({ ca: write(ca, bundle(authorityA, authorityB)) }))
    const client = { ...clientA, port: site.port, version }
    const errors: string[] = []
    site.server.on('tlsClientError', ({ code }: NodeJS.ErrnoException) => errors.push(String(code)))

    const path = join(site.dir, 'tls.sock')
    const local = await attached(t, site.engine)
    local.listen(path)
    await once(local, 'listening')
    t.after(() => local.close())
    const unix = net.connect(path)
    await once(local, 'connection')
    const unixClosed = once(unix.resume(), 'close', { signal: AbortSignal.timeout(10_000) })

    // Like a server that reads the first bytes of a connection before it passes it on.
    const [near, far] = duplexPair()
    site.server.emit('connection', far)

    const closing = await attached(t, site.engine)
    const closingPort = await listen(t, closing)
    const beforeClose = await openOnly(closing, { ...client, port: closingPort })
    closing.close()

    const waiting = [
      await openOnly(site.server, client),
      await stopHalfWay(site.server, client),
      await stopHalfWay(site.server, { ...client, servername: 'a.test' }),
      beforeClose,
    ]
    await site.reload(site.ca, bundle(authorityB))
    await unixClosed
    assert.deepEqual(await admissionsOf(...waiting), ['refused', 'refused', 'refused', 'refused'])
    assert.equal((await handshakeOver(near, version)).admission, 'refused')
    assert.equal(errors.filter((code) => code === 'TRUST_WITHDRAWN').length >= 3, true, errors.join())
  })
}

test('a handshake that the application delays does not complete after trust has shrunk', async (t) => {
  const site = await start(t, ({ ca }) => ({ ca: write(ca, bundle(authorityA, authorityB)) }))
  const server = await attached(t, site.engine)
  let storeSession = () => {}
  server.on('newSession', (_id: Buffer, _data: Buffer, done: () => void) => {
    storeSession = done
  })
  let admitted = 0
  server.on('secureConnection', (socket: TLSSocket) => {
    if (!socket.destroyed) admitted += 1
  })
  const port = await listen(t, server)
  const held = once(server, 'newSession')
  const client = connectFully({ ...clientA, port, version: 'TLSv1.2', withoutTickets: true })
  await held
  await site.reload(site.ca, bundle(authorityB))
  storeSession()
  assert.equal((await client).admission, 'refused')
  assert.equal(admitted, 0)
})

test('a server that was listening before it was attached admits no client by the previous trust', async (t) => {
  const site = await start(t, ({ ca }) => ({ ca: write(ca, bundle(authorityA, authorityB)) }))
  const server = createGreeter(site.engine.serverOptions())
  const port = await listen(t, server)
  for (const version of VERSIONS) {
    const client = { ...clientA, port, version }
    const waiting = [
      await openOnly(server, client),
      await stopHalfWay(server, client),
      await openOnly(server, { ...client, servername: 'a.test' }),
    ]
    t.after(site.engine.attach(server))
    await site.reload(site.ca, bundle(authorityB))
    assert.deepEqual(await admissionsOf(...waiting), ['refused', 'refused', 'refused'])
    assert.equal((await connectFully({ ...clientB, port, version })).admission, 'full')
    await site.reload(site.ca, bundle(authorityA, authorityB))
  }
})

test('a host of a server that was detached, or never attached, is not served with trust that has been narrowed', async (t) => {
  const site = await start(t, ({ ca }) => ({ ca: write(ca, bundle(authorityA, authorityB)) }))
  const [left, never] = [
    createGreeter(site.engine.serverOptions()),
    createGreeter(site.engine.serverOptions()),
  ]
  site.engine.attach(left)()
  for (const server of [left, never]) {
    const port = await listen(t, server)
    const client = { ...clientA, port, servername: 'a.test', version: 'TLSv1.3' } as const
    assert.equal((await connectFully({ ...client, expectTicket: false })).admission, 'full')
    const { session } = await connectFully(client)
    await site.reload(site.ca, bundle(authorityB))
    assert.equal((await connectFully(client)).admission, 'refused')
    assert.equal((await connectFully({ ...client, ...clientB })).admission, 'refused')
    // A renewal of the host keeps it refused; trust that is restored opens it again.
    await site.reload(site.ca, bundle(authorityA, authorityB))
    assert.notEqual((await connectFully({ ...client, session })).admission, 'refused')
  }
})

test('servers with different policies that share one SNI callback request client certificates by their own policy', async (t) => {
  const site = await start(t, ({ ca }) => ({ ca: write(ca, bundle(authorityB)) }))
  const options = site.engine.serverOptions({ requestCert: false })
  for (const [own, strangers] of [
    [{ requestCert: true }, 'refused'],
    [{ requestCert: false }, 'full'],
  ] as const) {
    const server = createGreeter({ ...options, ...own })
    t.after(site.engine.attach(server))
    const port = await listen(t, server)
    for (const version of VERSIONS) {
      const client = { port, version, servername: 'a.test' }
      assert.equal((await connectFully({ ...client, ...clientB })).admission, 'full')
      assert.equal((await connectFully(client)).admission, strangers)
      assert.equal((await connectFully({ ...client, ...clientA })).admission, strangers)
    }
  }
})

test('an SNI callback that is called without its connection refuses hosts where certificates are requested', async (t) => {
  const site = await start(t, ({ ca }) => ({ ca: write(ca, bundle(authorityB)) }))
  const { SNICallback, ...options } = site.engine.serverOptions()
  const wrappings: Readonly<Record<string, NonNullable<tls.TlsOptions['SNICallback']>>> = {
    refused: (name, done) => SNICallback?.(name, done),
    full(name, done) {
      SNICallback?.call(this, name, done)
    },
  }
  for (const [admission, callback] of Object.entries(wrappings)) {
    const server = createGreeter({ ...options, SNICallback: callback })
    t.after(site.engine.attach(server))
    const client = { ...clientB, port: await listen(t, server), version: 'TLSv1.3' } as const
    assert.equal((await connectFully({ ...client, servername: 'a.test' })).admission, admission)
    assert.equal((await connectFully(client)).admission, 'full')
  }
})

test('a TLS 1.2 connection does not renegotiate under trust that has shrunk', async (t) => {
  const site = await start(t, ({ ca }) => ({
    ca: write(ca, bundle(authorityA, authorityB)),
    rejectUnauthorized: false,
  }))
  const server = tls.createServer(site.engine.serverOptions(), greet)
  t.after(site.engine.attach(server))
  const port = await listen(t, server)
  for (const servername of ['localhost', 'a.test']) {
    await site.reload(site.ca, bundle(authorityA, authorityB)).catch(() => {})
    const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
    const socket = tls.connect({ port, servername, maxVersion: 'TLSv1.2', rejectUnauthorized: false })
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    const [connection] = await accepted
    // Before that, a renegotiation is harmless.
    await new Promise((resolve) => socket.renegotiate({ rejectUnauthorized: false }, resolve))
    assert.equal(connection.destroyed, false)
    await site.reload(site.ca, bundle(authorityB))
    assert.equal(connection.destroyed, false, 'admitted connections stay open')
    const closed = once(socket.resume(), 'close', { signal: AbortSignal.timeout(10_000) })
    socket.renegotiate({ rejectUnauthorized: false }, () => {})
    await closed
    assert.equal(connection.authorized, false)
  }
})

test('two connections from one client port to two addresses of a server are distinguished', async (t) => {
  const site = await start(t, ({ ca }) => ({ ca: write(ca, bundle(authorityB)) }))
  const server = await attached(t, site.engine)
  server.listen(0)
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as net.AddressInfo
  const accepted: net.Socket[] = []
  server.on('connection', (socket: net.Socket) => accepted.push(socket))
  const first = net.connect({ port, host: '127.0.0.1', localAddress: '127.0.0.1' })
  t.after(() => first.destroy())
  await Promise.all([once(first, 'connect'), once(server, 'connection')])
  writePair(site.dir, serverAuthority.issue())
  assertApplied(await site.engine.reload())
  const second = net.connect({
    ...{ port, host: '127.0.0.2', localAddress: '127.0.0.1' },
    localPort: first.localPort as number,
  })
  t.after(() => second.destroy())
  await Promise.all([once(second, 'connect'), once(server, 'connection')])
  assert.equal(first.localPort, second.localPort)
  const generations = accepted.map((socket) => site.engine.generationOf(socket))
  assert.deepEqual(generations, [1, 2])
})

const HOST_FILES = { cert: 'a.crt', key: 'a.key' }

interface Site {
  readonly dir: string
  readonly ca: string
  readonly crl: string
}

interface Running extends Site {
  readonly engine: ReloadEngine
  readonly server: tls.Server
  readonly port: number
  /** Writes a file and waits until it is applied. */
  reload(path: string, content: string): Promise<void>
}

/** A server that requires certificates, with the host `a.test` and a default certificate for `localhost`. */
async function start(
  t: TestContext,
  optionsOf: (site: Site) => Partial<ReloadEngineOptions>,
): Promise<Running> {
  const dir = tempDir(t)
  const site: Site = { dir, ca: join(dir, 'ca.pem'), crl: join(dir, 'crl.pem') }
  const engine = await startEngine(t, {
    ...writePair(dir, serverAuthority.issue()),
    hosts: { 'a.test': writePair(dir, serverAuthority.issue({ names: ['a.test'] }), HOST_FILES) },
    requestCert: true,
    verifyServed: false,
    ...optionsOf(site),
  })
  const server = await attached(t, engine)
  async function reload(path: string, content: string): Promise<void> {
    write(path, content)
    assertApplied(await engine.reload())
  }
  return { ...site, engine, server, port: await listen(t, server), reload }
}

async function attached(t: TestContext, engine: ReloadEngine): Promise<tls.Server> {
  const server = createGreeter(engine.serverOptions())
  t.after(engine.attach(server))
  return server
}

function handshakeOver(stream: Duplex, version: ClientOptions['version']): Promise<{ admission: string }> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      ...{ socket: stream, ...clientA, rejectUnauthorized: false },
      ...{ minVersion: version, maxVersion: version },
    })
    const timer = setTimeout(() => end('refused'), 300)
    function end(admission: string): void {
      clearTimeout(timer)
      socket.destroy()
      resolve({ admission })
    }
    socket.once('data', () => end('full'))
    socket.on('error', () => end('refused'))
    socket.once('close', () => end('refused'))
  })
}

async function admissionsOf(
  ...waiting: readonly ((() => Promise<Outcome>) | undefined)[]
): Promise<(string | undefined)[]> {
  return await Promise.all(waiting.map(async (goOn) => (await goOn?.())?.admission))
}

async function applied(pass: ReturnType<ReloadEngine['reload']>): Promise<void> {
  assertApplied(await pass)
}

function write(path: string, content: string): string {
  overwriteInPlace(path, content)
  return path
}
