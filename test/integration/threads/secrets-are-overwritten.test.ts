/*
 * The bytes of keys, passphrases and ticket secrets: their owner, and when they are zero, as documented at `PreparedPair`.
 *
 * Guards against a secret that stays in the memory of a thread, or of the main thread, on rare paths: a refusal, a dry run, an
 * engine that is closed. A core file or a memory dump would contain it.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { startEngine } from '../../../src/main/engine/engine.js'
import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { renameInto } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { encryptedPkcs8, traditionalKey } from '../../../support/material/key-forms.js'
import { pkcs12 } from '../../../support/material/pkcs12.js'
import {
  accountForSecrets,
  type SecretAccount,
  type Secrets,
  secretsOfKey,
} from '../../../support/worker/secret-account.js'
import { standIn } from '../../../support/worker/stand-in.js'

const authority = createAuthority()
const passphrase = 'correct horse battery staple'

/** The format of a key on disk. */
interface Form {
  readonly name: string
  readonly options: (dir: string) => ReloadEngineOptions
  readonly write: (dir: string, leaf: Leaf, key?: Leaf) => void
}

const forms: readonly Form[] = [
  keyForm('an unencrypted key', ({ keyPem }) => keyPem),
  keyForm('a key in its traditional form', (leaf) => traditionalKey(leaf)),
  keyForm('an encrypted key', (leaf) => encryptedPkcs8(leaf, passphrase)),
  {
    name: 'a PKCS#12 file',
    options: (dir) => ({ pfx: join(dir, 'tls.p12'), passphrase: { file: join(dir, 'passphrase') } }),
    write: (dir, leaf, key = leaf) => renameInto(join(dir, 'tls.p12'), packed(leaf, key)),
  },
]

for (const form of forms) {
  test(`a thread keeps no secret of ${form.name}, whether it transfers it or refuses it`, async (t) => {
    const { engine, account, dir, leaves } = await site(t, form)
    const [first, second, third, expired] = leaves
    const outcomes: string[] = []
    const reload = async (dryRun = false) => outcomes.push((await engine.reload({ dryRun })).outcome)
    form.write(dir, second, third)
    await reload()
    form.write(dir, expired)
    await reload()
    form.write(dir, second)
    await reload(true)
    renameInto(join(dir, 'passphrase'), 'wrong')
    await reload()
    renameInto(join(dir, 'passphrase'), passphrase)
    await reload()
    form.write(dir, second)
    renameInto(join(dir, 'hosts', 'a', 'tls.key'), first.keyPem)
    await reload()
    await reload()
    assert.deepEqual(outcomes.slice(0, 3), ['waiting-for-pair', 'rejected', 'validated'])
    assert.ok(outcomes.includes('applied'))
    assert.deepEqual(account.left(), [])
    assert.ok(account.wiped >= outcomes.length, `${account.wiped} buffers were overwritten`)
  })
}

const plain = forms[0] as Form

test('after a dry run, nothing of the transferred material is left', async (t) => {
  const { engine, account, dir, leaves } = await site(t, plain)
  const { held, received } = account
  plain.write(dir, leaves[1])
  assert.equal((await engine.reload({ dryRun: true })).outcome, 'validated')
  assert.ok(account.received > received)
  assert.equal(account.held, held)
})

test('after a refusal by a host, nothing of the renewed default certificate is left', async (t) => {
  const { engine, account, dir, leaves } = await site(t, plain, { policy: { hosts: 'together' } })
  const { held, received } = account
  plain.write(dir, leaves[1])
  renameInto(join(dir, 'hosts', 'a', 'tls.key'), leaves[2].keyPem)
  assert.equal((await engine.reload()).outcome, 'waiting-for-pair')
  assert.ok(account.received > received)
  assert.equal(account.held, held)
})

test('a refused first load leaves nothing behind', async (t) => {
  const { engine, account, dir, leaves } = await site(t, plain)
  await engine.close()
  const { held } = account
  plain.write(dir, leaves[1])
  renameInto(join(dir, 'hosts', 'a', 'tls.key'), leaves[2].keyPem)
  const options = { ...optionsOf(plain, dir), policy: { hosts: 'together' as const } }
  await assert.rejects(startEngine(options, { workerTasks: standIn('accounts-for-secrets') }))
  assert.equal(account.held, held)
})

test('a pass that is interrupted by `close()` leaves nothing of its material', async (t) => {
  const { engine, account, dir, leaves } = await site(t, plain)
  const { held } = account
  plain.write(dir, leaves[1])
  const pass = engine.reload()
  await Promise.all([assert.rejects(pass, { code: 'CLOSED' }), engine.close()])
  assert.ok(account.held <= held)
})

test('a key is zero once its generation is neither served nor kept, and after `close()`', async (t) => {
  const { engine, account, dir, leaves } = await site(t, plain, { historySize: 0, hosts: [], tickets: {} })
  const { held } = account
  for (const leaf of leaves.slice(1, 3)) {
    plain.write(dir, leaf)
    assert.equal((await engine.reload()).outcome, 'applied')
    assert.equal(account.held, held)
  }
  await engine.close()
  assert.equal(account.held, 0)
})

function keyForm(name: string, keyOf: (leaf: Leaf) => string): Form {
  return {
    name,
    options: (dir) => ({
      cert: join(dir, 'tls.crt'),
      key: join(dir, 'tls.key'),
      passphrase: { file: join(dir, 'passphrase') },
    }),
    write(dir, leaf, key = leaf) {
      renameInto(join(dir, 'tls.key'), keyOf(key))
      renameInto(join(dir, 'tls.crt'), leaf.chainPem)
    },
  }
}

interface Site {
  readonly dir: string
  readonly engine: ReloadEngine
  readonly account: SecretAccount
  /** The last one has expired. */
  readonly leaves: readonly [Leaf, Leaf, Leaf, Leaf]
}

async function site(t: TestContext, form: Form, options: ReloadEngineOptions = {}): Promise<Site> {
  const dir = tempDir(t)
  const leaves = [
    authority.issue(),
    authority.issue(),
    authority.issue(),
    authority.issue({ notAfter: new Date(Date.now() - 60_000) }),
  ] as const
  const host = authority.issue({ names: ['a.example'] })
  const secret = randomBytes(48)
  const keys = [...leaves, host].map((leaf, i) =>
    secretsOfKey(`key ${i + 1}`, leaf.keyPem, [leaf.keyPem, traditionalKey(leaf)]),
  )
  const secrets: Secrets = Object.assign(
    { passphrase: Buffer.from(passphrase), 'ticket secret': secret },
    ...keys,
  ) as Secrets
  const account = accountForSecrets(t, secrets)
  mkdirSync(join(dir, 'hosts', 'a'), { recursive: true })
  renameInto(join(dir, 'passphrase'), passphrase)
  renameInto(join(dir, 'tickets'), secret)
  renameInto(join(dir, 'hosts', 'a', 'tls.crt'), host.chainPem)
  renameInto(join(dir, 'hosts', 'a', 'tls.key'), host.keyPem)
  form.write(dir, leaves[0])
  // No timer check runs in between.
  const parts = { clock: fakeClock(), workerTasks: standIn('accounts-for-secrets') }
  const engine = await startEngine({ ...optionsOf(form, dir), ...options }, parts)
  t.after(() => engine.close())
  return { dir, engine, account, leaves }
}

function optionsOf(form: Form, dir: string): ReloadEngineOptions {
  return {
    ...form.options(dir),
    hosts: join(dir, 'hosts', '*'),
    tickets: { secretFile: join(dir, 'tickets') },
    logger: recordingLogger(),
  }
}

/** A PKCS#12 file, which may hold the key of another leaf. */
function packed({ certDer }: Leaf, { privateKey, publicKey }: Leaf): Buffer {
  return pkcs12({ leaf: { certDer, privateKey, publicKey }, passphrase })
}
