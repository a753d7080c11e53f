import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngineOptions } from '../../src/main/api/options.js'
import type { Problem } from '../../src/workers/base/problem.js'
import type { RecordBytes } from '../../src/workers/protocol/material.js'
import type {
  PreparedReply,
  PrepareReply,
  PrepareTask,
  RefusedReply,
} from '../../src/workers/protocol/prepare.js'
import { decodeRecord } from '../../src/workers/reply/record.js'
import { overwriteInPlace, renameInto, writePair } from '../../support/files/files.js'
import { beforeCalls } from '../../support/files/patch-fs.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority, type Leaf, selfSigned } from '../../support/material/certificates.js'
import { encryptedPkcs8 } from '../../support/material/key-forms.js'
import { pkcs12 } from '../../support/material/pkcs12.js'
import { codesOf } from '../../support/worker/findings.js'
import { preparedHere, prepareHere, taskFor } from '../../support/worker/tasks-here.js'

const authority = createAuthority()
const issuer = authority.issueAuthority()

test('a set is prepared into plain PEM, facts and a record', async (t) => {
  const { options, leaf, dir } = setIn(t)
  writeFileSync(join(dir, 'ca.pem'), authority.certPem)
  const reply = await preparedHere(taskFor({ ...options, ca: join(dir, 'ca.pem') }))
  const [pair] = reply.material.pairs
  assert.equal(text(pair?.chain), leaf.chainPem)
  assert.ok(createPrivateKey(text(pair?.key)).equals(leaf.privateKey))
  assert.notEqual(reply.material.trust, 'served')
  assert.deepEqual(
    reply.certificates.map(({ fingerprint256 }) => fingerprint256),
    [leaf.fingerprint256],
  )
  assert.deepEqual({ ...reply.trust, digest: null }, { digest: null, authorities: 1, revocationLists: 0 })
  assert.deepEqual(codesOf({ problems: [], warnings: [...reply.warnings] }).warnings, [])
  assert.deepEqual([reply.changed, reply.diff], [[], null])
})

test('a record contains neither a digest nor bytes of a private key', async (t) => {
  const { options, leaf, dir } = setIn(t)
  const both = join(dir, 'both.pem')
  writeFileSync(both, leaf.chainPem + leaf.keyPem, { mode: 0o600 })
  for (const one of [options, { cert: both, key: both }]) {
    const { record } = await preparedHere(taskFor(one))
    const json = text(record.head) + text(record.authorities)
    for (const line of leaf.keyPem.split('\n').slice(1, -2)) assert.ok(!json.includes(line))
    const rules = decodeRecord(record)
      .fingerprint.filter(({ path }) => path === one.key)
      .map(({ by }) => by)
    assert.ok(rules.includes('stamp'))
  }
})

test('an encrypted key is returned decrypted, and a PKCS#12 file as PEM', async (t) => {
  const { leaf, dir } = setIn(t)
  const files = writePair(dir, { chainPem: leaf.chainPem, keyPem: encryptedPkcs8(leaf, 'secret') })
  const fromPem = await preparedHere(taskFor({ ...files, passphrase: 'secret' }))
  const pfx = join(dir, 'tls.p12')
  writeFileSync(pfx, pkcs12({ leaf, chain: [issuer], passphrase: 'secret' }), { mode: 0o600 })
  const fromPfx = await preparedHere(taskFor({ pfx, passphrase: 'secret' }))
  assert.deepEqual(fromPfx.material.pairs, fromPem.material.pairs)
  assert.equal(text(fromPem.material.pairs[0]?.key), leaf.keyPem)
})

test('unchanged files are not read any further', async (t) => {
  const { options } = setIn(t)
  const { record } = await preparedHere(taskFor(options))
  let opened = 0
  beforeCalls(t, 'openSync', () => opened++, 10)
  assert.deepEqual(await prepareHere(taskFor(options, { record })), { kind: 'unchanged', record: null })
  assert.equal(opened, 1, 'the certificate is opened, the key is not')
})

test('files that are rewritten with the same content are unchanged, with a new record', async (t) => {
  const { options, leaf } = setIn(t)
  const { record } = await preparedHere(taskFor(options))
  renameInto(options.key, leaf.keyPem)
  renameInto(options.cert, `# a comment\n${leaf.chainPem}`)
  const reply = await prepareHere(taskFor(options, { record }))
  assert.equal(reply.kind, 'unchanged')
  assert.ok(reply.kind === 'unchanged' && reply.record)
  const again = await prepareHere(taskFor(options, { record: reply.record }))
  assert.deepEqual(again, { kind: 'unchanged', record: null })
})

test('a renewal is prepared with the changed files, the resulting changes, and without trust that is already served', async (t) => {
  const { options, dir, leaf } = setIn(t, { names: ['a.test', 'b.test'] })
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const { record } = await preparedHere(taskFor({ ...options, ca }))
  const renewal = issuer.issue({ names: ['a.test', 'c.test'] })
  writePair(dir, renewal)
  const reply = await preparedHere(taskFor({ ...options, ca }, { record }))
  assert.deepEqual(reply.changed, [options.cert, options.key].sort())
  assert.equal(reply.material.trust, 'served')
  assert.equal(reply.diff?.fingerprint256.from, leaf.fingerprint256)
  assert.deepEqual([reply.diff?.namesAdded, reply.diff?.namesLost], [['c.test'], ['b.test']])
  assert.equal(reply.diff?.sessionsSurvive, true)
  assert.deepEqual(codesOf({ problems: [], warnings: [...reply.warnings] }).warnings, ['NAMES_LOST'])
})

test('a leaf that a trust anchor issued directly needs no intermediate, nor does its renewal', async (t) => {
  const { dir, options } = setIn(t)
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  writePair(dir, authority.issue())
  const first = await preparedHere(taskFor({ ...options, ca }))
  writePair(dir, authority.issue())
  const renewed = await preparedHere(taskFor({ ...options, ca }, { record: first.record }))
  assert.deepEqual([first.warnings, renewed.warnings], [[], []])
  writePair(dir, createAuthority().issue())
  const other = await preparedHere(taskFor({ ...options, ca }, { record: first.record }))
  assert.ok(other.warnings.some(({ code }) => code === 'CHAIN_INCOMPLETE'))
})

test('an added or removed CA is prepared with its trust, and ends sessions', async (t) => {
  const { options, dir } = setIn(t)
  const caDir = join(dir, 'cas')
  mkdirSync(caDir)
  writeFileSync(join(caDir, 'one.pem'), authority.certPem)
  const task = (record: RecordBytes | null) => taskFor({ ...options, caDir }, { record })
  const first = await preparedHere(task(null))
  const other = createAuthority()
  writeFileSync(join(caDir, 'two.pem'), other.certPem)
  const second = await preparedHere(task(first.record))
  assert.deepEqual(second.changed, [join(caDir, 'two.pem')])
  assert.notEqual(second.material.trust, 'served')
  assert.deepEqual(second.diff?.authoritiesAdded, [`CN=${other.name}`])
  assert.equal(second.diff?.sessionsSurvive, false)
  rmSync(join(caDir, 'two.pem'))
  const third = await preparedHere(task(second.record))
  assert.deepEqual(third.diff?.authoritiesRemoved, [`CN=${other.name}`])
  assert.equal(third.trust.digest, first.trust.digest)
})

test('a rolled-back set is ignored until the files change', async (t) => {
  const { options, dir } = setIn(t)
  const first = await preparedHere(taskFor(options))
  writePair(dir, issuer.issue())
  const second = await preparedHere(taskFor(options, { record: first.record }))
  const task = taskFor(options, { record: first.record, rolledBack: second.record })
  assert.deepEqual(await prepareHere(task), { kind: 'rolled-back', rolledBack: null })
  chmodSync(options.key, 0o640)
  const moved = await prepareHere(task)
  assert.ok(moved.kind === 'rolled-back' && moved.rolledBack !== null)
  const { rolledBack } = moved
  assert.deepEqual(await prepareHere({ ...task, rolledBack }), { kind: 'rolled-back', rolledBack: null })
  const both = taskFor(options, { record: second.record, rolledBack: second.record })
  assert.equal((await prepareHere(both)).kind, 'unchanged', 'the served pair is checked first')
  writePair(dir, issuer.issue())
  assert.equal((await preparedHere(task)).kind, 'prepared')
})

test('a full load prepares material that is already served, including trust', async (t) => {
  const { options, dir } = setIn(t)
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const { record } = await preparedHere(taskFor({ ...options, ca }))
  const reply = await preparedHere(taskFor({ ...options, ca }, { record, fresh: true }))
  assert.notEqual(reply.material.trust, 'served')
})

test('two pairs, Diffie-Hellman parameters and a ticket secret are all returned, each in its own buffer', async (t) => {
  const { dir } = setIn(t)
  const [ec, rsa] = [issuer.issue(), issuer.issue({ keyType: 'rsa-2048' })]
  const pairs = [writePair(dir, ec), writePair(dir, rsa, { cert: 'rsa.crt', key: 'rsa.key' })]
  const secretFile = join(dir, 'tickets.key')
  writeFileSync(secretFile, Buffer.alloc(48, 7), { mode: 0o600 })
  const reply = await preparedHere(
    taskFor({
      cert: pairs.map(({ cert }) => cert),
      key: pairs.map(({ key }) => key),
      tickets: { secretFile },
    }),
  )
  const { material, certificates } = reply
  assert.deepEqual(
    certificates.map(({ keyType }) => keyType),
    ['EC prime256v1', 'RSA 2048'],
  )
  assert.deepEqual(material.ticketSecret && [...material.ticketSecret], Array(48).fill(7))
  const views = [...material.pairs.flatMap(({ chain, key }) => [chain, key]), material.ticketSecret]
  for (const view of views) assert.equal(view?.byteLength, view?.buffer.byteLength)
})

test('all problems are reported at once', async (t) => {
  const { options, dir } = setIn(t)
  overwriteInPlace(options.key, issuer.issue().keyPem)
  const more = {
    ca: join(dir, 'ca.pem'),
    crl: join(dir, 'list.pem'),
    dhparam: join(dir, 'dh.pem'),
    tickets: { secretFile: join(dir, 'secret') },
  }
  for (const path of [more.ca, more.crl, more.dhparam, more.tickets.secretFile]) writeFileSync(path, 'x')
  const { problems } = await refusedHere(taskFor({ ...options, ...more }))
  assert.deepEqual(problems.map(({ code }) => code).sort(), [
    'CA_INVALID',
    'CERT_KEY_MISMATCH',
    'CRL_INVALID',
    'DHPARAM_INVALID',
    'TICKET_SECRET_INVALID',
  ])
})

test('only a pair that does not match, without another problem, may still become a match', async (t) => {
  const isMismatch = ({ code }: Problem) => code === 'CERT_KEY_MISMATCH'
  const { options, dir } = setIn(t)
  const good = await preparedHere(taskFor(options))
  overwriteInPlace(options.key, issuer.issue().keyPem)
  const waiting = await refusedHere(taskFor(options, { record: good.record }))
  assert.equal(waiting.problems.every(isMismatch), true)
  assert.deepEqual(waiting.changed, [options.key])
  writeFileSync(join(dir, 'ca.pem'), '')
  const broken = await refusedHere(taskFor({ ...options, ca: join(dir, 'ca.pem') }))
  assert.equal(broken.problems.every(isMismatch), false)
})

test('a refused state of the disk is distinguished from another, and is the same at the next check', async (t) => {
  const { options } = setIn(t)
  const states: string[] = []
  const look = async () => states.push((await refusedHere(taskFor(options))).failureDigest)
  overwriteInPlace(options.key, 'broken')
  await look()
  await look()
  overwriteInPlace(options.key, 'broken again')
  await look()
  rmSync(options.key)
  await look()
  assert.equal(states[0], states[1])
  assert.equal(new Set(states).size, 3)
})

test('force accepts files that the policy rejects, and refuses those that cannot serve', async (t) => {
  const { options, dir } = setIn(t)
  writePair(dir, issuer.issue({ extendedKeyUsage: 'client' }))
  assert.deepEqual(
    (await refusedHere(taskFor(options))).problems.map(({ code }) => code),
    ['CERT_PURPOSE'],
  )
  const forced = await preparedHere(taskFor(options, { force: true }))
  assert.ok(forced.warnings.some(({ code }) => code === 'CERT_PURPOSE'))
  overwriteInPlace(options.key, issuer.issue().keyPem)
  const mismatch = await refusedHere(taskFor(options, { force: true }))
  assert.deepEqual(
    mismatch.problems.map(({ code }) => code),
    ['CERT_KEY_MISMATCH'],
  )
})

test('a renewal that differs from the served pair is rehearsed in every TLS version, even with the same issuer', async (t) => {
  const { options, dir } = setIn(t)
  const tls = { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }
  const { record } = await preparedHere(taskFor({ ...options, tls }))
  writePair(dir, issuer.issue())
  await preparedHere(taskFor({ ...options, tls }, { record }))
  writePair(dir, issuer.issue({ keyType: 'rsa-2048' }))
  await rehearsalFails(taskFor({ ...options, tls }, { record }))
})

test('a renewal that resembles the served pair is not rehearsed again, until options change', async (t) => {
  const { options, dir } = setIn(t)
  const unusable = { ...options, tls: { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' } }
  await rehearsalFails(taskFor(unusable))
  const { record } = await preparedHere(taskFor(options))
  writePair(dir, issuer.issue())
  await preparedHere(taskFor(unusable, { record }))
  await rehearsalFails(taskFor(unusable, { record, fresh: true }))
})

test('changed trust is loaded, without repeating the handshakes of its pair', async (t) => {
  const { options, dir } = setIn(t)
  const { record } = await preparedHere(taskFor(options))
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const tls = { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }
  const { material } = await preparedHere(taskFor({ ...options, ca, tls }, { record }))
  assert.notEqual(material.trust, 'served')
  const { problems } = await rehearsalFails(taskFor({ ...options, ca, tls: { ciphers: 'NONE' } }, { record }))
  assert.equal(problems[0]?.path, ca)
})

test('a renewal for a name that its issuer may not certify is refused, however similar it is to the previous one', async (t) => {
  const constrained = authority.issueAuthority({ permitted: ['good.test'] })
  const dir = tempDir(t)
  const options = writePair(dir, constrained.issue({ names: ['a.good.test'] }))
  const { record } = await preparedHere(taskFor(options))
  writePair(dir, constrained.issue({ names: ['a.good.test'] }))
  await preparedHere(taskFor(options, { record }))
  writePair(dir, constrained.issue({ names: ['a.good.test', 'bad.test'] }))
  const task = taskFor(options, { record })
  const { problems } = await rehearsalFails(task)
  assert.match(problems[0]?.message ?? '', /name constraints of an issuer; run "openssl verify"/)
})

test('a pair that was forced despite its rehearsal exempts no other from it', async (t) => {
  const constrained = authority.issueAuthority({ permitted: ['good.test'] })
  const dir = tempDir(t)
  const options = writePair(dir, constrained.issue({ names: ['bad.test'] }))
  const { record, warnings } = await preparedHere(taskFor(options, { force: true }))
  assert.ok(warnings.some(({ code }) => code === 'REHEARSAL_FAILED'))
  writePair(dir, constrained.issue({ names: ['bad.test'] }))
  await rehearsalFails(taskFor(options, { record }))
})

test('a problem that only the rehearsal detects is refused, in words that do not depend on the Node version', async (t) => {
  const { options } = setIn(t)
  const tls = { sigalgs: 'rsa_pss_rsae_sha256' }
  const { problems } = await refusedHere(taskFor({ ...options, tls }))
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['REHEARSAL_FAILED'],
  )
})

test('a key that every user may read is a warning', async (t) => {
  const { options } = setIn(t)
  chmodSync(options.key, 0o644)
  const { warnings } = await preparedHere(taskFor(options))
  assert.deepEqual(
    warnings.map(({ code, path }) => [code, path]),
    [['KEY_PERMISSIONS', options.key]],
  )
  chmodSync(options.key, 0o640)
  assert.deepEqual((await preparedHere(taskFor(options))).warnings, [])
})

test('files that cannot be read, and a missing directory, are refused and named', async (t) => {
  const { options, dir } = setIn(t)
  const caDir = join(dir, 'absent')
  const listed = await refusedHere(taskFor({ ...options, caDir }))
  assert.deepEqual(
    listed.problems.map(({ code, path }) => [code, path]),
    [['FILE_NOT_FOUND', caDir]],
  )
  rmSync(options.cert)
  rmSync(options.key)
  const read = await refusedHere(taskFor(options))
  assert.deepEqual(
    read.problems.map(({ path }) => path),
    [options.cert, options.key],
  )
  assert.deepEqual(read.changed, [])
})

test('a self-signed pair is prepared without a warning', async (t) => {
  const options = writePair(tempDir(t), selfSigned())
  assert.deepEqual((await preparedHere(taskFor(options))).warnings, [])
})

interface PreparedSet {
  readonly options: ReloadEngineOptions & { readonly cert: string; readonly key: string }
  readonly leaf: Leaf
  readonly dir: string
}

function setIn(t: TestContext, leafOptions: Parameters<typeof issuer.issue>[0] = {}): PreparedSet {
  const dir = tempDir(t)
  const leaf = issuer.issue(leafOptions)
  return { options: writePair(dir, leaf), leaf, dir }
}

async function rehearsalFails(task: PrepareTask): Promise<RefusedReply> {
  const reply = await refusedHere(task)
  assert.deepEqual(
    reply.problems.map(({ code }) => code),
    ['REHEARSAL_FAILED'],
  )
  return reply
}

async function refusedHere(task: PrepareTask): Promise<RefusedReply> {
  const reply: PrepareReply | PreparedReply = await prepareHere(task)
  assert.ok(reply.kind === 'refused', `expected a refusal, got ${reply.kind}`)
  return reply
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString()
}
