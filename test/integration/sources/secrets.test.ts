/* Keys that a source delivers: their copies are overwritten in the threads and on the main thread after every kind of pass. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import { startEngine } from '../../../src/main/engine/engine.js'
import type { DeliveredPair } from '../../../src/main/index.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { traditionalKey } from '../../../support/material/key-forms.js'
import { MemorySource } from '../../../support/sources/memory-source.js'
import { accountForSecrets, type Secrets, secretsOfKey } from '../../../support/worker/secret-account.js'
import { standIn } from '../../../support/worker/stand-in.js'

const authority = createAuthority()

const forms: Record<string, (leaf: Leaf, key?: Leaf) => DeliveredPair> = {
  'PEM in separate parts': (leaf, key = leaf) => ({ cert: leaf.chainPem, key: Buffer.from(key.keyPem) }),
  'PEM in one bundle': (leaf, key = leaf) => ({ bundle: Buffer.from(key.keyPem + leaf.chainPem) }),
  DER: (leaf, key = leaf) => ({ cert: leaf.certDer, key: derOf(key.keyPem) }),
}

for (const [form, pairOf] of Object.entries(forms)) {
  test(`no thread keeps a delivered key (${form}), whatever the outcome`, async (t) => {
    const leaves = Array.from({ length: 4 }, () => authority.issue())
    const hosts = Array.from({ length: 2 }, () => authority.issue({ names: ['a.example'] }))
    const account = accountFor(t, [...leaves, ...hosts])
    const [first, second, third, fourth] = leaves as [Leaf, Leaf, Leaf, Leaf]
    const [host, renewed] = hosts as [Leaf, Leaf]
    const delivery = (version: string, pair: DeliveredPair, hostPair = pairOf(host)) => {
      return { version, pairs: [pair], hosts: [{ name: 'a.example', version, ...hostPair }] }
    }
    const source = new MemorySource(delivery('1', pairOf(first)))
    const options = { source, hosts: {}, policy: { pairGraceSeconds: 0 }, logger: recordingLogger() }
    const engine = await startEngine(options, {
      clock: fakeClock(),
      workerTasks: standIn('accounts-for-secrets'),
    })
    t.after(() => engine.close())
    const outcomes: string[] = []
    const reload = async (dryRun = false) =>
      outcomes.push((await engine.reload({ dryRun, force: dryRun })).outcome)
    source.set(delivery('2', pairOf(second, third)))
    await reload()
    source.set(delivery('3', pairOf(second), pairOf(renewed, third)))
    await reload()
    source.set(delivery('4', pairOf(third), pairOf(renewed)))
    await reload(true)
    await reload()
    source.set(delivery('5', pairOf(third), pairOf(renewed)))
    await reload()
    await reload()
    source.set(delivery('6', { cert: 'garbage', key: Buffer.from(fourth.keyPem) }, pairOf(renewed)))
    await reload()
    assert.deepEqual(outcomes, [
      'rejected',
      'applied',
      'validated',
      'applied',
      'unchanged',
      'unchanged',
      'rejected',
    ])
    assert.deepEqual(account.left(), [])
    assert.ok(account.wiped >= outcomes.length, `${account.wiped} buffers were overwritten`)
  })
}

function accountFor(t: TestContext, leaves: readonly Leaf[]) {
  const keys = leaves.map((leaf, i) =>
    secretsOfKey(`key ${i + 1}`, leaf.keyPem, [leaf.keyPem, traditionalKey(leaf)]),
  )
  return accountForSecrets(t, Object.assign({}, ...keys) as Secrets)
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
}
