/*
 * `force` accepts files that the policy would refuse, because in an outage the operator may decide so; it never accepts files
 * that could not serve a single client.
 *
 * Guards against an expired certificate that is served without a decision of the operator (valkey#2997, dstack#931).
 */

import assert from 'node:assert/strict'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine } from '../../../src/main/index.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { assertApplied, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, type PairFiles, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf, type LeafOptions } from '../../../support/material/certificates.js'

const authority = createAuthority()
const hour = 3_600_000
const EXPIRED = { notBefore: new Date(Date.now() - 2 * hour), notAfter: new Date(Date.now() - hour) }

const refusable: Readonly<Record<string, LeafOptions>> = {
  CERT_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID: { notBefore: new Date(Date.now() + hour) },
  CERT_PURPOSE: { extendedKeyUsage: 'client' },
}

for (const [code, options] of Object.entries(refusable)) {
  test(`a certificate with ${code} is refused, and a forced reload serves it with a warning`, async (t) => {
    const { engine, port, first, paths } = await servingEngine(t)
    const leaf = authority.issue(options)
    overwriteInPlace(paths.key, leaf.keyPem)
    overwriteInPlace(paths.cert, leaf.chainPem)
    const refused = await engine.reload()
    assert.equal(refused.outcome, 'rejected')
    assert.deepEqual(
      refused.problems.map((problem) => problem.code),
      [code],
    )
    assert.equal(await servedBy(port), first.fingerprint256)

    const forced = await engine.reload({ force: true })
    assertApplied(forced)
    assert.ok(forced.warnings.some((warning) => warning.code === code))
    assert.equal(await servedBy(port), leaf.fingerprint256)
    assert.equal((await engine.reload()).outcome, 'unchanged')
    assert.equal(await servedBy(port), leaf.fingerprint256)
  })
}

const impossible: Readonly<Record<string, (paths: PairFiles, next: Leaf) => void>> = {
  'a mismatched pair': ({ cert }, next) => overwriteInPlace(cert, next.chainPem),
  'a mismatched pair of another key type': ({ cert }) => {
    overwriteInPlace(cert, authority.issue({ keyType: 'rsa-2048' }).chainPem)
  },
  'a truncated certificate': ({ cert, key }, next) => {
    overwriteInPlace(key, next.keyPem)
    overwriteInPlace(cert, next.chainPem.slice(0, 300))
  },
  'a file that is not a key': ({ key }, next) => overwriteInPlace(key, next.chainPem),
}

for (const [what, harm] of Object.entries(impossible)) {
  test(`${what} is not served, even by a forced reload`, async (t) => {
    const { engine, port, first, paths } = await servingEngine(t)
    harm(paths, authority.issue())
    const { outcome, generation, problems } = await engine.reload({ force: true })
    assert.notEqual(outcome, 'applied')
    assert.equal(generation, 1)
    assert.equal(problems.length, 1)
    assert.equal(await servedBy(port), first.fingerprint256)
  })
}

test('an empty CA directory is refused, even by a forced reload: it would refuse every client', async (t) => {
  const dir = tempDir(t)
  const caDir = join(dir, 'ca.d')
  mkdirSync(caDir)
  overwriteInPlace(join(caDir, 'ca.pem'), authority.certPem)
  const engine = await startEngine(t, { ...writePair(dir, authority.issue()), caDir, requestCert: true })
  const port = await serveEcho(t, engine)
  rmSync(join(caDir, 'ca.pem'))
  const { outcome, problems } = await engine.reload({ force: true })
  assert.equal(outcome, 'rejected')
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['CA_EMPTY'],
  )
  const { certPem, keyPem } = authority.issue()
  await handshake({ port, cert: certPem, key: keyPem, confirm: true })
})

test('forcing files that did not change causes no reload', async (t) => {
  const { engine } = await servingEngine(t)
  const { outcome, generation } = await engine.reload({ force: true })
  assert.deepEqual({ outcome, generation }, { outcome: 'unchanged', generation: 1 })
})

test('a dry run can be forced too, and still changes nothing', async (t) => {
  const { engine, port, first, paths } = await servingEngine(t)
  const expired = authority.issue(EXPIRED)
  overwriteInPlace(paths.key, expired.keyPem)
  overwriteInPlace(paths.cert, expired.chainPem)
  assert.equal((await engine.reload({ dryRun: true })).outcome, 'rejected')
  assert.equal((await engine.reload({ dryRun: true, force: true })).outcome, 'validated')
  assert.equal(await servedBy(port), first.fingerprint256)
})

async function servingEngine(
  t: TestContext,
): Promise<{ engine: ReloadEngine; port: number; first: Leaf; paths: PairFiles }> {
  const first = authority.issue()
  const paths = writePair(tempDir(t), first)
  const engine = await startEngine(t, paths)
  return { engine, port: await serveEcho(t, engine), first, paths }
}
