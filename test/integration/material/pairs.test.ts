// Pairs with several key types. Each TLS version needs one pair that works, and each pair needs one version. OpenSSL 3.0 (Node
// 20) does not read ML-DSA keys; OpenSSL 3.5 serves them in TLS 1.3.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

import type { ReloadEngineOptions } from '../../../src/main/index.js'
import type { Problem } from '../../../src/workers/base/problem.js'
import { assertListed } from '../../../support/docs/documented-errors.js'
import { assertApplied, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { hostSite, putHost } from '../../../support/engine/host-site.js'
import { type PairFiles, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type LeafOptions } from '../../../support/material/certificates.js'
import { mlDsaPair, readsMlDsa, withoutMlDsa } from '../../../support/material/ml-dsa.js'
import { pkcs12 } from '../../../support/material/pkcs12.js'
import { hostTask, preparedHosts, prepareHere, taskFor } from '../../../support/worker/tasks-here.js'

const root = createAuthority({ name: 'Pairs Root' })
const NO_ML_DSA = { sigalgs: 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256' }

test('ECDSA and ML-DSA: each client gets the pair that it supports, and each pair is renewed separately', {
  skip: withoutMlDsa,
}, async (t) => {
  const dir = tempDir(t)
  const [ecdsa, mlDsa] = [write(dir, 'ecdsa'), write(dir, 'ml-dsa', { key: mlDsaPair() })]
  const ca = join(dir, 'ca.crt')
  writeFileSync(ca, root.certPem)
  const options = { cert: [ecdsa.cert, mlDsa.cert], key: [ecdsa.key, mlDsa.key], ca }
  const engine = await startEngine(t, options)
  const port = await serveEcho(t, engine)
  assert.deepEqual(engine.status().warnings, [])
  const [first, second] = engine.status().generation.certificates
  assert.equal(second?.keyType, 'ML-DSA-65')
  assert.equal(await servedBy(port, { maxVersion: 'TLSv1.2' }), first?.fingerprint256)
  assert.equal(await servedBy(port, NO_ML_DSA), first?.fingerprint256)
  assert.equal(await servedBy(port), second?.fingerprint256)

  write(dir, 'ml-dsa', { key: mlDsaPair(44) })
  const renewed = await engine.reload()
  assertApplied(renewed)
  assert.deepEqual(renewed.warnings, [])
  assert.equal(await servedBy(port), engine.status().generation.certificates[1]?.fingerprint256)
  assert.equal(await servedBy(port, NO_ML_DSA), first?.fingerprint256)

  write(dir, 'ecdsa')
  assertApplied(await engine.reload())
  assert.equal(await servedBy(port, NO_ML_DSA), engine.status().generation.certificates[0]?.fingerprint256)
})

test('a lone ML-DSA pair is refused if TLS 1.2 is enabled; the message says to set minVersion, and with it the pair is served', {
  skip: withoutMlDsa,
}, async (t) => {
  for (const set of [44, 65, 87] as const) {
    const files = write(tempDir(t), 'tls', { key: mlDsaPair(set) })
    const [problem, ...more] = await problemsOf(files)
    assert.deepEqual([problem?.code, problem?.path, more], ['REHEARSAL_FAILED', files.cert, []])
    assert.match(
      problem?.message ?? '',
      new RegExp(`^no TLSv1\\.2 handshake .*ML-DSA-${set} serves only TLS 1\\.3`),
    )
    assert.match(problem?.message ?? '', /set `tls\.minVersion` to 'TLSv1\.3', or add a pair with an ECDSA/)
    if (set === 65) assertListed(problem as Problem, dirname(files.cert))
    assert.deepEqual(await problemsOf({ ...files, tls: { minVersion: 'TLSv1.3' } }), [])
    const [older] = await problemsOf({ ...files, tls: { maxVersion: 'TLSv1.2' } })
    assert.match(older?.message ?? '', /ML-DSA-\d\d needs TLS 1\.3, which `tls\.maxVersion`/)
  }
})

test('a lone Ed25519 pair that the ciphers restrict to TLS 1.3 is refused, and the message says to set minVersion', async (t) => {
  const files = write(tempDir(t), 'tls', { keyType: 'ed25519' })
  assert.deepEqual(await problemsOf(files), [])
  const ciphers = 'ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256'
  const [problem] = await problemsOf({ ...files, tls: { ciphers } })
  assert.match(problem?.message ?? '', /^no TLSv1\.2 handshake .*ED25519 serves only TLS 1\.3.*minVersion/)
  assert.deepEqual(await problemsOf({ ...files, tls: { ciphers, minVersion: 'TLSv1.3' } }), [])
})

test('two pairs that only work in TLS 1.3 give one refusal that names both', {
  skip: withoutMlDsa,
}, async (t) => {
  const dir = tempDir(t)
  const pairs = ([44, 65] as const).map((set) => write(dir, `${set}`, { key: mlDsaPair(set) }))
  const options = { cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key) }
  const [problem, ...more] = await problemsOf(options)
  assert.deepEqual(more, [])
  assert.match(
    problem?.message ?? '',
    /44\.crt and \S+65\.crt: .*ML-DSA-44 and ML-DSA-65 serves? only TLS 1\.3/,
  )
})

test('a pair without a TLS 1.2 cipher serves TLS 1.3 beside another pair, with a warning', async (t) => {
  const dir = tempDir(t)
  const pairs = [write(dir, 'ecdsa'), write(dir, 'rsa', { keyType: 'rsa-2048' })]
  const options = { cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key) }
  const ciphers = 'ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256'
  const reply = await prepareHere(taskFor({ ...options, tls: { ciphers } }))
  assert.equal(reply.kind, 'prepared')
  const { warnings } = reply as { warnings: readonly Problem[] }
  const [warning] = warnings.filter(({ code }) => code === 'REHEARSAL_FAILED')
  assert.match(warning?.message ?? '', /^no TLSv1\.2 handshake is possible with \S+rsa\.crt: .*another pair$/)
  assertListed(warning as Problem, dir)
})

test('a pair that works in no version is refused, even if another pair works', async (t) => {
  const dir = tempDir(t)
  const pairs = [write(dir, 'ecdsa'), write(dir, 'rsa', { keyType: 'rsa-2048' })]
  const options = { cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key) }
  const problems = await problemsOf({ ...options, tls: { sigalgs: 'ecdsa_secp256r1_sha256' } })
  assert.deepEqual(
    problems.map(({ code, path }) => [code, path]),
    [['REHEARSAL_FAILED', pairs[1]?.cert]],
  )
})

test('an SNI host with an ML-DSA pair is served if only TLS 1.3 is enabled, and is otherwise refused with the remedy', {
  skip: withoutMlDsa,
}, async (t) => {
  const site = await hostSite(t, { 'a.test': { key: mlDsaPair() } }, { tls: { minVersion: 'TLSv1.3' } })
  const renewed = putHost(site.dir, site.authority, 'a.test', { key: mlDsaPair() })
  assertApplied(await site.engine.reload())
  if (!process.versions.node.startsWith('22.'))
    assert.equal(await site.shown('a.test'), renewed.fingerprint256)

  const { replies } = await preparedHosts(hostTask(join(site.dir, 'hosts', '*')))
  const [problem] = replies.flatMap(({ problems }) => problems)
  assert.match(problem?.message ?? '', /tls\.minVersion/)
})

test('an ML-DSA certificate or key that OpenSSL cannot read is not reported as damaged: the message names the requirement', {
  skip: readsMlDsa && 'needs a Node whose OpenSSL does not know ML-DSA: Node 20',
}, async (t) => {
  const dir = tempDir(t)
  const key = mlDsaPair()
  const leaf = root.issue({ key })
  const authority = createAuthority({ key, name: 'Recent Root', parent: root })
  const ordinary = root.issue()
  const needs =
    /ML-DSA-65 keys need OpenSSL 3\.5, and Node 20\.\S+ has OpenSSL 3\.0\.\d+; use Node 24 or later/
  const pfx = join(dir, 'tls.p12')
  writeFileSync(pfx, pkcs12({ leaf: { ...leaf, ...key }, algorithm: 'none' }), { mode: 0o600 })
  const sets: Record<string, ReloadEngineOptions> = {
    certificate: writePair(dir, { chainPem: leaf.chainPem, keyPem: ordinary.keyPem }, names('certificate')),
    key: writePair(dir, { chainPem: ordinary.chainPem, keyPem: leaf.keyPem }, names('key')),
    chain: writePair(
      dir,
      { chainPem: ordinary.chainPem + authority.certPem, keyPem: ordinary.keyPem },
      names('chain'),
    ),
    pfx: { pfx },
  }
  for (const [what, options] of Object.entries(sets)) {
    const [problem] = await problemsOf(options)
    assert.equal(problem?.code, 'KEY_UNSUPPORTED', what)
    assert.match(problem?.message ?? '', needs, what)
  }
  const { replies } = await preparedHosts(hostTask(join(dir, 'certificate.crt')))
  for (const { problems } of replies)
    for (const { message } of problems) assert.doesNotMatch(message, /damaged/)
})

function names(name: string): PairFiles {
  return { cert: `${name}.crt`, key: `${name}.key` }
}

function write(dir: string, name: string, options?: LeafOptions): PairFiles {
  return writePair(dir, root.issue(options), names(name))
}

async function problemsOf(options: ReloadEngineOptions): Promise<readonly Problem[]> {
  const reply = await prepareHere(taskFor(options))
  return reply.kind === 'refused' ? reply.problems : []
}
