/*
 * A certificate may hold thousands of names: the work for a renewal grows with their number, and not with its square.
 */

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import { factsOf } from '../../src/workers/facts.js'
import { namesLost } from '../../src/workers/judge.js'
import { createAuthority } from '../support/certificates.js'
import { startEngine } from '../support/engines.js'
import { writePair } from '../support/files.js'
import { tempDir } from '../support/temp-dir.js'

const authority = createAuthority()
const MANY = 1_500

test('a renewal that replaces 1,500 names by 1,500 others is applied, and its warning names ten of them', async (t) => {
  const dir = tempDir(t)
  const engine = await startEngine(t, writePair(dir, withNames('before')))
  writePair(dir, withNames('after'))
  const { outcome, diff, warnings } = await engine.reload()
  assert.equal(outcome, 'applied')
  assert.equal(diff?.namesLost.length, MANY)
  const lost = warnings.find(({ code }) => code === 'NAMES_LOST')
  assert.match(lost?.message ?? '', /before9\.example\.test and 1490 more$/)
})

test('the names of a certificate are read once to be compared with any number of others', (t) => {
  const [before, after] = [withNames('before'), withNames('after')].map(
    ({ certPem }) => new X509Certificate(certPem),
  ) as [X509Certificate, X509Certificate]
  const served = factsOf([before])
  const { get } = Object.getOwnPropertyDescriptor(X509Certificate.prototype, 'subjectAltName') as {
    get: () => string
  }
  let reads = 0
  t.mock.getter(X509Certificate.prototype, 'subjectAltName', function (this: X509Certificate) {
    reads++
    return get.call(this)
  })
  const checks = t.mock.method(X509Certificate.prototype, 'checkHost')
  assert.equal(namesLost(after, served).length, MANY)
  assert.deepEqual({ reads, checks: checks.mock.callCount() }, { reads: 1, checks: 0 })
})

function withNames(prefix: string) {
  return authority.issue({ names: Array.from({ length: MANY }, (_, i) => `${prefix}${i}.example.test`) })
}
