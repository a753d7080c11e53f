/* The option `peers` as an operator uses it: changes, dry runs, mistakes, what is logged and counted, and questions about it. */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'

import { PeerRefusals } from '../../../src/main/attach/peer-refusals.js'
import type { PeerOptions, PeerRule, ReloadEngineOptions } from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { type LogLine, recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { identityOf, peerSite } from '../../../support/engine/peer-site.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf, type LeafOptions } from '../../../support/material/certificates.js'
import { bits, nothing } from '../../../support/material/der.js'
import { extension } from '../../../support/material/extensions.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const clients = createAuthority()
const [web, admin] = ['web', 'admin'].map((name) => issue({ uris: [`spiffe://example.org/${name}`] })) as [
  Leaf,
  Leaf,
]
const WEB: PeerRule = { uri: 'spiffe://example.org/web' }
const ADMIN: PeerRule = { uri: 'spiffe://example.org/admin' }

test('a file of peers is reloaded, and a dry run shows which rules it adds and removes', async (t) => {
  const { site, write } = await fileSite(t, [WEB])
  write([ADMIN, { dns: '*.example.org' }])
  const dry = await site.engine.reload({ dryRun: true })
  assert.deepEqual(
    [dry.outcome, dry.diff?.peersAdded, dry.diff?.peersRemoved],
    ['validated', ['dns *.example.org', 'uri spiffe://example.org/admin'], ['uri spiffe://example.org/web']],
  )
  assert.equal(dry.diff?.sessionsSurvive, false)
  assert.equal(site.engine.status().generation.trust.peerRules, 1)
  assertApplied(await site.engine.reload())
  assert.equal(site.engine.status().generation.trust.peerRules, 2)
})

test('the same rules in another form are no change', async (t) => {
  const { site, write } = await fileSite(t, [WEB, { dns: 'a.example' }])
  write([{ dns: 'A.example' }, WEB, WEB])
  assert.equal((await site.engine.reload()).outcome, 'unchanged')
})

test('narrowing the rules distrusts the connections that they no longer name, and widening them none', async (t) => {
  const { site, write } = await fileSite(t, [WEB, ADMIN])
  await site.connect('web', identityOf(web))
  await site.connect('admin', identityOf(admin))
  assert.deepEqual(await site.distrusted(), [])
  write([WEB, { cn: 'anybody else' }])
  assertApplied(await site.engine.reload())
  assert.deepEqual(await site.distrusted(), ['admin'])
  write([WEB, ADMIN])
  assertApplied(await site.engine.reload())
  assert.deepEqual(await site.distrusted(), [])
})

test('a renewed server certificate keeps the rules and the sessions of clients', async (t) => {
  const { site, dir } = await fileSite(t, [WEB])
  writePair(dir, createAuthority().issue())
  const result = await site.engine.reload()
  assertApplied(result)
  assert.equal(result.diff?.sessionsSurvive, true)
  assert.deepEqual([result.diff?.peersAdded, result.diff?.peersRemoved], [undefined, undefined])
  await site.connect('web', identityOf(web))
  assert.equal((await site.engine.admits(admin.certPem)).admitted, false)
})

/** Contents that are refused, and the code and a part of the message. */
const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  ['', 'PEERS_INVALID', /not JSON/],
  ['{ "allow": [\n{ "uri": "a:b" "dns" }\n] }', 'PEERS_INVALID', /not JSON at line 2/],
  ['[]', 'PEERS_INVALID', /expected an object/],
  ['{}', 'PEERS_INVALID', /expected the member "allow"/],
  ['{ "allow": [], "deny": [] }', 'PEERS_INVALID', /a member is unknown; expected only "allow"/],
  [
    '{ "allow": [{ "dns": "a.example" }, { "dns": "*" }] }',
    'PEERS_INVALID',
    /rule 2 of 2: expected a DNS name/,
  ],
  ['{ "allow": [{ "dns": "a.example", "uri": "b:c" }] }', 'PEERS_INVALID', /exactly one of/],
  [
    '{ "allow": [], "__proto__": { "allow": [1] } }',
    'PEERS_INVALID',
    /a member is unknown; expected only "allow"/,
  ],
  ['{ "allow": [] }', 'PEERS_EMPTY', /every client would be refused/],
]

for (const [content, code, message] of MISTAKES) {
  test(`the file ${JSON.stringify(content).slice(0, 50)} is refused with ${code}, and the rules in force stay`, async (t) => {
    const { site, file, options } = await fileSite(t, [WEB])
    overwriteInPlace(file, content)
    const { outcome, problems } = await site.engine.reload()
    assert.deepEqual([outcome, problems.map((one) => one.code)], ['rejected', [code]])
    assert.match(problems[0]?.message ?? '', message)
    assert.ok(problems[0]?.message.startsWith(file))
    assert.equal((await site.engine.admits(web.certPem)).admitted, true)
    assert.equal((await site.engine.admits(admin.certPem)).admitted, false)
    await assert.rejects(startEngine(t, options), { code })
  })
}

test('a message about a file of peers contains nothing of its content', async (t) => {
  const { site, file } = await fileSite(t, [WEB])
  for (const content of ['{ "allow": [ Sanddorn-42 ] }', '{ "allow": [], "Sanddorn-42": 1 }']) {
    overwriteInPlace(file, content)
    const { problems } = await site.engine.reload()
    assert.equal(problems[0]?.code, 'PEERS_INVALID')
    assert.doesNotMatch(JSON.stringify(problems), /Sanddorn/)
  }
})

test('rules need a server that requires a certificate, and each invalid rule is named', async (t) => {
  const { options } = await fileSite(t, [WEB])
  const { requestCert: _, ...open } = options
  await assert.rejects(startEngine(t, open), {
    code: 'OPTIONS_INVALID',
    message: /`peers`.*`requestCert: true`/,
  })
  const allow = [WEB, { uri: '*' }, { email: 'a@b.example' }] as unknown as PeerRule[]
  await assert.rejects(startEngine(t, { ...options, peers: { allow } }), (error: Error) => {
    assert.match(error.message, /peers\.allow\.1.*expected a URI.*peers\.allow\.2.*expected exactly one of/s)
    return true
  })
  await assert.rejects(startEngine(t, { ...options, peers: { allow: [] } }), { code: 'OPTIONS_INVALID' })
})

test('update() replaces the rules, and refuses to keep rules without client certificates', async (t) => {
  const { site } = await fileSite(t, [WEB])
  await site.connect('web', identityOf(web))
  assertApplied(await site.engine.update({ peers: { allow: [ADMIN] } }))
  assert.deepEqual(await site.distrusted(), ['web'])
  assert.equal((await site.engine.admits(admin.certPem)).admitted, true)
  await assert.rejects(site.engine.update({ requestCert: false }), { code: 'OPTIONS_INVALID' })
  assertApplied(await site.engine.update({ peers: undefined }))
  assert.equal((await site.engine.admits(web.certPem)).admitted, true)
  assert.equal(site.engine.status().generation.trust.peerRules, undefined)
})

test('a rollback keeps the rules in force, and restores earlier ones only on request', async (t) => {
  const { site, write } = await fileSite(t, [WEB, ADMIN])
  write([WEB])
  assertApplied(await site.engine.reload())
  const admitted = async (leaf: Leaf) => (await site.engine.admits(leaf.certPem)).admitted
  assertApplied(await site.engine.rollback())
  assert.deepEqual([await admitted(web), await admitted(admin)], [true, false])
  assertApplied(await site.engine.rollback({ generation: 1, trust: true }))
  assert.deepEqual([await admitted(web), await admitted(admin)], [true, true])
})

test('rules apply to a source that delivers the anchors', async (t) => {
  const source = new MemorySource(deliveryOf(createAuthority().issue(), '1', { ca: [clients.certDer] }))
  const engine = await startEngine(t, { source, requestCert: true, peers: { allow: [WEB] } })
  assert.equal((await engine.admits(web.certPem)).admitted, true)
  assert.equal((await engine.admits(admin.certPem)).admitted, false)
})

test('a file of rules beside a source is read at each check, also while the source answers nothing new or fails', async (t) => {
  const source = new MemorySource(deliveryOf(createAuthority().issue(), '1', { ca: [clients.certDer] }))
  const file = join(tempDir(t), 'peers.json')
  const write = (rules: readonly PeerRule[]) => overwriteInPlace(file, JSON.stringify({ allow: rules }))
  write([WEB, ADMIN])
  const engine = await startEngine(t, { source, requestCert: true, peers: { file } })
  const admitted = async (leaf: Leaf) => (await engine.admits(leaf.certPem)).admitted
  write([WEB])
  assertApplied(await engine.reload())
  assert.deepEqual([await admitted(web), await admitted(admin)], [true, false])
  source.answer = () => {
    throw new Error('the source is down')
  }
  write([ADMIN])
  assertApplied(await engine.reload())
  assert.deepEqual([await admitted(web), await admitted(admin)], [false, true])
})

test('a refused client is logged with its name and address, counted, and a flood of refusals does not fill the log', async (t) => {
  const { site } = await fileSite(t, [WEB])
  const metrics = createMetrics(site.engine)
  for (let i = 0; i < 30; i++) await site.connect('admin', identityOf(admin))
  const lines = () => site.logger.lines.filter(({ message }) => message === 'peer refused')
  assert.equal(lines().length, 20)
  const { code, peer, remoteAddress, remotePort } = fieldsOf(lines()[0])
  assert.deepEqual(
    [code, peer, remoteAddress, typeof remotePort],
    ['PEER_NOT_ALLOWED', 'spiffe://example.org/admin', '127.0.0.1', 'number'],
  )
  assert.deepEqual(site.engine.status().refusedPeers, { PEER_NOT_ALLOWED: 30, TRUST_DOMAIN: 0 })
  assert.match(await metrics.text(), /^certswap_refused_peers_total\{code="PEER_NOT_ALLOWED"\} 30$/m)
})

test('after a flood of refusals, one line a second says how many were not logged', async () => {
  const [clock, logger] = [fakeClock(), recordingLogger()]
  const refusals = new PeerRefusals(clock)
  refusals.logTo(logger)
  const note = () => refusals.note({ code: 'PEER_NOT_ALLOWED', peer: 'web' }, {} as TLSSocket)
  for (let i = 0; i < 30; i++) note()
  assert.equal(logger.lines.length, 20)
  await clock.advance(1000)
  for (let i = 0; i < 2; i++) note()
  assert.equal(logger.lines.length, 21)
  assert.equal(fieldsOf(logger.lines[20])['unlogged'], 10)
  assert.equal(refusals.counts.PEER_NOT_ALLOWED, 32)
})

test('a name of a refused client cannot forge a log line', async (t) => {
  const { site } = await fileSite(t, [WEB])
  await site.connect('odd', identityOf(issue({ commonName: 'x\n{"level":50}\u001b[2J', names: [] })))
  const [line] = site.logger.lines.filter(({ message }) => message === 'peer refused')
  assert.equal(fieldsOf(line)['peer'], 'CN=x\\u000a{"level":50}\\u001b[2J')
})

/** Certificates, and the codes for which the engine would refuse them. */
const QUESTIONS: readonly (readonly [string, string, readonly string[]])[] = [
  ['a client that a rule names', web.certPem, []],
  ['a client without a rule', admin.certPem, ['PEER_NOT_ALLOWED']],
  [
    'a client of another CA',
    createAuthority().issue({ uris: ['spiffe://example.org/web'] }).certPem,
    ['PEER_NOT_VERIFIED'],
  ],
  [
    'a server',
    clients.issue({ uris: ['spiffe://example.org/web'], extendedKeyUsage: 'server' }).certPem,
    ['CERT_PURPOSE'],
  ],
  [
    'an expired client',
    issue({ uris: ['spiffe://example.org/web'], notAfter: new Date(Date.now() - 60_000) }).certPem,
    ['CERT_EXPIRED'],
  ],
  [
    'a future client',
    issue({ uris: ['spiffe://example.org/web'], notBefore: new Date(Date.now() + 3_600_000) }).certPem,
    ['CERT_NOT_YET_VALID'],
  ],
  [
    'an intermediate that is missing',
    clients.issueAuthority().issue({ uris: ['spiffe://example.org/web'] }).certPem,
    ['PEER_NOT_VERIFIED'],
  ],
  [
    'a certificate with a critical extension that OpenSSL does not know',
    issue({ uris: ['spiffe://example.org/web'], extensions: [extension('1.2.3.4', nothing(), true)] })
      .certPem,
    ['CERT_PURPOSE'],
  ],
  [
    'a certificate whose Netscape type is for servers',
    issue({
      uris: ['spiffe://example.org/web'],
      extensions: [extension('2.16.840.1.113730.1.1', bits(Buffer.from([0x40]), 6))],
    }).certPem,
    ['CERT_PURPOSE'],
  ],
  [
    'a key that OpenSSL refuses',
    issue({
      uris: ['spiffe://example.org/web'],
      key: generateKeyPairSync('rsa', { modulusLength: 512 }),
    }).certPem,
    ['KEY_TOO_WEAK'],
  ],
  ['a chain', clients.issueAuthority().issue({ uris: ['spiffe://example.org/web'] }).chainPem, []],
]

for (const [what, pem, codes] of QUESTIONS) {
  test(`admits() answers for ${what}: ${codes.join() || 'admitted'}`, async (t) => {
    const { site } = await fileSite(t, [WEB])
    const verdict = await site.engine.admits(pem)
    assert.deepEqual(
      [verdict.admitted, verdict.problems.map(({ code }) => code)],
      [codes.length === 0, codes],
    )
    assert.deepEqual(verdict.rule, codes.includes('PEER_NOT_ALLOWED') ? null : WEB)
    assert.equal(verdict.names?.spki.length, 64)
  })
}

test('admits() refuses a client whose CA has no revocation list beside those of others, as a handshake does', async (t) => {
  const crl = join(tempDir(t), 'clients.crl')
  overwriteInPlace(crl, clients.crl())
  const { site } = await fileSite(t, [WEB], { crl })
  const below = clients.issueAuthority().issue({ names: [], uris: ['spiffe://example.org/web'] })
  const codes = async (pem: string) => (await site.engine.admits(pem)).problems.map(({ code }) => code)
  assert.deepEqual(await codes(web.certPem), [])
  assert.deepEqual(await codes(below.chainPem), ['PEER_NOT_VERIFIED'])
})

test('admits() takes PEM, DER and an object of Node, and refuses anything else', async (t) => {
  const { site } = await fileSite(t, [WEB])
  const { X509Certificate } = await import('node:crypto')
  for (const form of [web.certPem, Buffer.from(web.certPem), web.certDer, new X509Certificate(web.certPem)])
    assert.equal((await site.engine.admits(form)).admitted, true)
  const wrong = [
    '',
    'text',
    web.keyPem,
    Buffer.alloc(200_000),
    Buffer.alloc(0),
    null,
    7,
    web.certDer.subarray(0, 100),
  ]
  for (const form of wrong)
    await assert.rejects(site.engine.admits(form as string), { code: 'OPTIONS_INVALID' })
  await site.engine.close()
  await assert.rejects(site.engine.admits(web.certPem), { code: 'CLOSED' })
})

test('10,000 rules are staged in slices, and a client is named by the last of them', async (t) => {
  const many = Array.from({ length: 10_000 }, (_, i) => ({ uri: `spiffe://example.org/service/${i}` }))
  const { site, write } = await fileSite(t, [WEB])
  write([...many, ADMIN])
  assertApplied(await site.engine.reload())
  assert.equal(site.engine.status().generation.trust.peerRules, 10_001)
  assert.equal((await site.engine.admits(admin.certPem)).admitted, true)
  await site.connect('admin', identityOf(admin))
  assert.deepEqual(await site.distrusted(), [])
})

async function fileSite(t: TestContext, allow: readonly PeerRule[], more: Partial<ReloadEngineOptions> = {}) {
  const dir = tempDir(t)
  const file = join(dir, 'peers.json')
  const write = (rules: readonly PeerRule[]) => overwriteInPlace(file, JSON.stringify({ allow: rules }))
  write(allow)
  const pair = writePair(dir, createAuthority().issue())
  const ca = join(dir, 'clients.pem')
  overwriteInPlace(ca, clients.certPem)
  const peers: PeerOptions = { file }
  const engine = { ...pair, peers, ...more }
  const site = await peerSite(t, [clients], { engine })
  return { site, dir, file, write, options: { ...engine, ca, requestCert: true } }
}

function fieldsOf(line: LogLine | undefined): Readonly<Record<string, unknown>> {
  return { ...line?.fields }
}

function issue(options: LeafOptions): Leaf {
  return clients.issue({ names: [], extendedKeyUsage: 'client', ...options })
}
