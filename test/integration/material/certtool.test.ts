import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'

import { DerivationBudget, type Work } from '../../../src/workers/formats/derivation-budget.js'
import { readPkcs12 } from '../../../src/workers/parse/pkcs12.js'
import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const PASSPHRASE = 'Sanddorn-42'

const withoutCerttool: string | false =
  spawnSync('certtool', ['--version']).status !== 0 && 'needs certtool: apt-get install gnutls-bin'

test('a PKCS#12 file of certtool in triple DES, with 4,200,000 rounds, loads as it does in Node', {
  skip: withoutCerttool || onFirstNodeOnly,
}, (t) => {
  const dir = tempDir(t)
  const leaf = createAuthority().issue()
  const [key, cert, path] = ['key.pem', 'leaf.pem', 'tls.p12'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(key, leaf.keyPem)
  writeFileSync(cert, leaf.certPem)
  const input = [
    '--load-privkey',
    key,
    '--load-certificate',
    cert,
    '--p12-name=x',
    '--outder',
    '--outfile',
    path,
  ]
  const how = ['--pkcs-cipher=3des-pkcs12', '--hash=sha512', `--password=${PASSPHRASE}`]
  execFileSync('certtool', ['--to-p12', ...input, ...how], { stdio: 'ignore' })
  const pfx = readFileSync(path)
  createSecureContext({ pfx, passphrase: PASSPHRASE })
  const budget = new CountingBudget()
  const { certificates, keys } = readPkcs12(pfx, path, Buffer.from(PASSPHRASE), budget)
  assert.equal(certificates[0]?.fingerprint256, leaf.fingerprint256)
  assert.ok(keys[0]?.object.equals(leaf.privateKey))
  // A CA and a revocation list would only be two more layers of the same work.
  const [, ...layers] = budget.costs
  const [keyCost = 0, ivCost = 0] = layers
  assert.deepEqual(layers, [keyCost, ivCost, keyCost, ivCost])
  budget.assertAllows({ cost: 2 * (keyCost + ivCost), effort: 'a CA and a revocation list' })
})

class CountingBudget extends DerivationBudget {
  readonly costs: number[] = []

  override spend(work: Work): void {
    this.costs.push(work.cost)
    super.spend(work)
  }
}
