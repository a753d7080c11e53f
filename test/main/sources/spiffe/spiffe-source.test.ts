/*
 * The source alone, with an agent in this process that misbehaves on request. test/integration/sources has the real SPIRE.
 */

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import grpc from '@grpc/grpc-js'

import type { Delivery, MaterialSource } from '../../../../src/main/api/source.js'
import { type SpiffeSourceOptions, spiffeSource } from '../../../../src/main/sources/spiffe/index.js'
import { tempDir } from '../../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../../support/material/certificates.js'
import {
  type AgentMessage,
  type AgentSvid,
  bundleOf,
  startAgent,
  svidOf,
} from '../../../../support/servers/workload-agent.js'

const authority = createAuthority()
const foreign = createAuthority()
const WEB = 'spiffe://example.org/web'

test('the first message is the delivery: chain, key, bundles by trust domain and lists, as DER', async (t) => {
  const leaf = leafOf(WEB)
  const list = Buffer.from('a list')
  const svid = svidOf(leaf, WEB, [authority])
  const agent = await startAgent(t, {
    svids: [svid],
    crl: [list],
    federated: { 'spiffe://other.test': bundleOf([foreign]), 'spiffe://empty.test': new Uint8Array() },
  })
  const source = sourceAt(t, agent.socket)
  const delivery = await delivered(source)
  const [pair] = delivery.pairs
  assert.deepEqual(Buffer.from(pair?.cert as Uint8Array), Buffer.from(svid.chain as Uint8Array))
  assert.deepEqual(Buffer.from(pair?.key as Uint8Array), Buffer.from(svid.key as Uint8Array))
  assert.deepEqual(Object.keys(delivery.trustDomains ?? {}), ['example.org', 'other.test'])
  assert.deepEqual(
    delivery.trustDomains?.['other.test']?.map((one) => Buffer.from(one)),
    [foreign.certDer],
  )
  assert.deepEqual(
    delivery.crl?.map((one) => Buffer.from(one)),
    [list],
  )
  assert.equal(delivery.ca, undefined)
  assert.equal(agent.metadata['workload.spiffe.io'], 'true')
})

test('the same message is unchanged, each other message is a push and has another version', async (t) => {
  const message = messageOf(leafOf(WEB))
  const agent = await startAgent(t, message)
  const source = sourceAt(t, agent.socket)
  const changes = pushes(source)
  const first = await delivered(source)
  assert.match(first.version, /^1\.[0-9a-f]{64}$/)
  assert.equal(await read(source, first.version), 'unchanged')
  const seen = changes.next()
  agent.send(message)
  agent.send(messageOf(leafOf(WEB)))
  await seen
  const second = await delivered(source, first.version)
  assert.match(second.version, /^2\./)
})

test('a key that alone changes has another version, which is not derived from the key', async (t) => {
  const svid = svidOf(leafOf(WEB), WEB, [authority])
  const agent = await startAgent(t, { svids: [svid] })
  const source = sourceAt(t, agent.socket)
  const changes = pushes(source)
  const first = await delivered(source)
  const seen = changes.next()
  agent.send({ svids: [{ ...svid, key: Buffer.from('another key') }] })
  await seen
  const second = await delivered(source, first.version)
  assert.notEqual(second.version, first.version)
  assert.equal(second.version.split('.')[1], first.version.split('.')[1])
})

test('an identity is selected by its hint or its SPIFFE ID; without either it is the first', async (t) => {
  const [web, db] = [leafOf(WEB), leafOf('spiffe://example.org/db')]
  const svids = [
    svidOf(web, WEB, [authority]),
    { ...svidOf(db, 'spiffe://example.org/db', [authority]), hint: 'internal' },
  ]
  const agent = await startAgent(t, { svids })
  const chainWith = async (options: SpiffeSourceOptions) => {
    const { pairs } = await delivered(sourceAt(t, agent.socket, options))
    return Buffer.from(pairs[0]?.cert as Uint8Array).toString('hex')
  }
  assert.equal(await chainWith({}), web.certDer.toString('hex'))
  assert.equal(await chainWith({ hint: 'internal' }), db.certDer.toString('hex'))
  assert.equal(await chainWith({ id: 'spiffe://example.org/db' }), db.certDer.toString('hex'))
  await assert.rejects(chainWith({ hint: 'external' }), { code: 'SOURCE_WITHDRAWN' })
  await assert.rejects(chainWith({ hint: 'internal', id: WEB }), { code: 'SOURCE_WITHDRAWN' })
})

test('an identity that a message no longer contains is withdrawn, and served again when it returns', async (t) => {
  const agent = await startAgent(t, messageOf(leafOf(WEB)))
  const source = sourceAt(t, agent.socket)
  const changes = pushes(source)
  const { version } = await delivered(source)
  const gone = changes.next()
  agent.send({ svids: [], federated: { 'spiffe://other.test': bundleOf([foreign]) } })
  await gone
  await assert.rejects(read(source, version), { code: 'SOURCE_WITHDRAWN' })
  const back = changes.next()
  agent.send(messageOf(leafOf(WEB)))
  await back
  assert.match((await delivered(source, version)).version, /^2\./)
})

test('a message that is not one, or breaks a rule of X.509-SVIDs, is invalid and says which', async (t) => {
  const ok = svidOf(leafOf(WEB), WEB, [authority])
  const agent = await startAgent(t, null)
  const source = sourceAt(t, agent.socket)
  const changes = pushes(source)
  const open = agent.nextStream()
  const first = read(source)
  first.catch(() => {})
  await open
  const refused = async (message: AgentMessage | Uint8Array, expected: RegExp) => {
    const seen = changes.next()
    agent.send(message)
    await seen
    await assert.rejects(read(source), { name: 'SourceError', code: 'SOURCE_INVALID', message: expected })
  }
  const withLeaf = (leaf: Leaf, svid: AgentSvid = {}): AgentMessage => ({
    svids: [{ ...svidOf(leaf, WEB, [authority]), ...svid }],
  })
  // A constructed string: BER, which native code reads.
  const berName = authority.issue({ commonName: '__abcd', names: [], uris: [WEB] }).certDer.toString('latin1')
  const ber = Buffer.from(berName.replace('\f\x06__abcd', ',\x06\f\x04abcd'), 'latin1')
  assert.equal(new X509Certificate(ber).subject, 'CN=abcd')
  await refused(withLeaf(leafOf(WEB), { chain: ber }), /a certificate that cannot be read/)
  await refused(Buffer.from('garbage'), /cannot be read/)
  await refused({ svids: [{ ...ok, key: Buffer.alloc(0) }] }, /without a private key/)
  await refused({ svids: [{ ...ok, chain: Buffer.alloc(0) }] }, /without a certificate/)
  await refused({ svids: [{ ...ok, bundle: Buffer.alloc(0) }] }, /without a trust bundle/)
  await refused({ svids: [{ ...ok, chain: Buffer.from('garbage') }] }, /chain is not a sequence/)
  await refused({ svids: [{ ...ok, bundle: Buffer.from('garbage') }] }, /bundle of example.org/)
  await refused(
    { svids: [{ ...ok, spiffeId: 'spiffe://example.org/other' }] },
    /not the one that the agent states/,
  )
  await refused(withLeaf(authority.issue({ names: ['web.test'] })), /exactly one URI/)
  await refused(withLeaf(authority.issue({ uris: [WEB, 'https://web.test'] })), /exactly one URI/)
  await refused(withLeaf(authority.issue({ uris: ['spiffe://Example.org/web'] })), /exactly one URI/)
  await refused(withLeaf(authority.issue({ uris: [WEB], isCa: true })), /of a CA/)
  await refused(
    { svids: [ok], federated: { 'spiffe://other.test/path': ok.bundle as Uint8Array } },
    /federated/,
  )
  await refused({ svids: [ok], federated: { 'other.test': Buffer.from('garbage') } }, /bundle of other.test/)
  await assert.rejects(first, { code: 'SOURCE_INVALID' })
  assert.equal(agent.opened, 1, 'the stream stays open')
  const seen = changes.next()
  agent.send({ svids: [ok] })
  await seen
  assert.match((await delivered(source)).version, /^1\./)
})

test('an agent that restarts is found again; while it is away, the source says so and claims no success', async (t) => {
  const message = messageOf(leafOf(WEB))
  const agent = await startAgent(t, message)
  const source = sourceAt(t, agent.socket)
  const changes = pushes(source)
  const { version } = await delivered(source)
  for (let round = 0; round < 3; round++) {
    const away = changes.next()
    agent.stop()
    await away
    await assert.rejects(read(source, version), {
      code: 'SOURCE_UNREACHABLE',
      message: /unix:\/\/.*UNAVAILABLE/,
    })
    const back = changes.next()
    await agent.start()
    await back
    // The same identity with the same key: nothing to do.
    assert.equal(await read(source, version), 'unchanged')
  }
})

test('a process without an identity is denied, and served as soon as it has one', async (t) => {
  const agent = await startAgent(t, messageOf(leafOf(WEB)))
  agent.refuse(grpc.status.PERMISSION_DENIED)
  const source = sourceAt(t, agent.socket)
  const changes = pushes(source)
  await assert.rejects(read(source), { code: 'SOURCE_DENIED' })
  const seen = changes.next()
  agent.refuse(null)
  await seen
  while (true) {
    const answer = await read(source).catch(() => null)
    if (answer !== null) break
    await changes.next()
  }
  assert.match((await delivered(source)).version, /^1\./)
})

test('an endpoint that does not speak the protocol is reported and not asked again by itself', async (t) => {
  const agent = await startAgent(t, messageOf(leafOf(WEB)))
  agent.refuse(grpc.status.UNIMPLEMENTED)
  const source = sourceAt(t, agent.socket)
  await assert.rejects(read(source), { code: 'SOURCE_INVALID', message: /UNIMPLEMENTED/ })
  const { opened } = agent
  agent.refuse(null)
  // Only the engine's next attempt opens another stream.
  await delivered(source)
  assert.equal(agent.opened, opened + 1)
})

test('a missing agent, a silent one and one that is no gRPC server end the attempt in bounded time', async (t) => {
  const dir = tempDir(t)
  const missing = sourceAt(t, `unix://${join(dir, 'missing.sock')}`)
  await assert.rejects(read(missing), { code: 'SOURCE_UNREACHABLE' })

  const silent = sourceAt(t, (await startAgent(t, null)).socket)
  const abort = new AbortController()
  const waiting = read(silent, null, abort.signal)
  abort.abort()
  await assert.rejects(waiting, { code: 'SOURCE_TIMEOUT', message: /sent no message in time/ })

  const path = join(dir, 'other.sock')
  const server = net.createServer((socket) => socket.end('220 mail.test ESMTP\r\n')).listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
  const other = sourceAt(t, `unix://${path}`)
  await assert.rejects(read(other), { code: 'SOURCE_UNREACHABLE' })
})

test('a message above the size limit is refused', async (t) => {
  const svid = svidOf(leafOf(WEB), WEB, [authority])
  const agent = await startAgent(t, { svids: [svid], crl: [Buffer.alloc(100_000)] })
  const source = sourceAt(t, agent.socket, { maxMessageBytes: 65_536 })
  await assert.rejects(read(source), { code: 'SOURCE_INVALID', message: /maxMessageBytes/ })
})

test('close ends the stream and overwrites the key', async (t) => {
  const agent = await startAgent(t, messageOf(leafOf(WEB)))
  const source = sourceAt(t, agent.socket)
  const { pairs } = await delivered(source)
  await source.close?.()
  assert.deepEqual(new Set(pairs[0]?.key as Uint8Array), new Set([0]))
  await assert.rejects(read(source), { code: 'SOURCE_UNREACHABLE' })
})

test('addresses other than a Unix socket or an IP address with a port are refused', () => {
  for (const socket of [
    '/run/agent.sock',
    'unix:agent.sock',
    'unix://agent.sock',
    'tcp://localhost:80',
    'tcp://1.2.3.4',
    'http://1.2.3.4:80',
    'tcp://1.2.3.4:0',
    'tcp://1.2.3.4:80/path',
    'unix:///a?b',
  ]) {
    assert.throws(
      () => spiffeSource({ socket }),
      { code: 'OPTIONS_INVALID', message: /unix:\/\/\/absolute/ },
      socket,
    )
  }
  for (const socket of ['unix:///run/agent.sock', 'tcp://127.0.0.1:8081', 'tcp://[::1]:8081']) {
    assert.equal(spiffeSource({ socket }).name, 'spiffe')
  }
  assert.throws(() => spiffeSource({ socket: 'unix:///a', id: 'example.org/web' }), {
    code: 'OPTIONS_INVALID',
  })
})

test('without the option, the address is the one of SPIFFE_ENDPOINT_SOCKET', (t) => {
  const before = process.env['SPIFFE_ENDPOINT_SOCKET']
  t.after(() => {
    if (before === undefined) delete process.env['SPIFFE_ENDPOINT_SOCKET']
    else process.env['SPIFFE_ENDPOINT_SOCKET'] = before
  })
  process.env['SPIFFE_ENDPOINT_SOCKET'] = 'unix:///run/agent.sock'
  assert.equal(spiffeSource().name, 'spiffe')
  process.env['SPIFFE_ENDPOINT_SOCKET'] = 'agent.sock'
  assert.throws(() => spiffeSource(), {
    code: 'OPTIONS_INVALID',
    message: /SPIFFE_ENDPOINT_SOCKET is neither/,
  })
  delete process.env['SPIFFE_ENDPOINT_SOCKET']
  assert.throws(() => spiffeSource(), { code: 'OPTIONS_INVALID', message: /are not set/ })
})

function leafOf(id: string): Leaf {
  return authority.issue({ names: [], uris: [id] })
}

function messageOf(leaf: Leaf): AgentMessage {
  return { svids: [svidOf(leaf, WEB, [authority])] }
}

function sourceAt(t: TestContext, socket: string, options: SpiffeSourceOptions = {}): MaterialSource {
  const source = spiffeSource({ socket, ...options })
  t.after(() => source.close?.())
  return source
}

/** Long enough for any machine. */
const PATIENCE_MS = 20_000

function read(
  source: MaterialSource,
  version: string | null = null,
  signal: AbortSignal = AbortSignal.timeout(PATIENCE_MS),
): Promise<Delivery | 'unchanged'> {
  return source.read({ version, signal })
}

async function delivered(source: MaterialSource, version: string | null = null): Promise<Delivery> {
  const delivery = await read(source, version)
  assert.ok(delivery !== 'unchanged')
  return delivery
}

/** The pushes of a source. */
function pushes(source: MaterialSource): { next(): Promise<void> } {
  let waiting: (() => void)[] = []
  source.watch?.(() => {
    for (const resolve of waiting) resolve()
    waiting = []
  })
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no push')), PATIENCE_MS)
        waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      }),
  }
}
