/*
 * Guards against a private key in the log, as from grpc-go's pemfile watcher. The corpus checks results, status, log lines and
 * errors of every refused file; this file checks all other outputs.
 */
import assert from 'node:assert/strict'
import diagnosticsChannel from 'node:diagnostics_channel'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'

import { createReloadEngine } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { SecretSearch } from '../../../support/base/secrets.js'
import { assertApplied } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { encryptedPkcs8 } from '../../../support/material/key-forms.js'

const PASSPHRASE = 'correct-horse-battery-staple'
const authority = createAuthority()

test('no key and no passphrase appears in what the engine returns, logs or publishes', async (t) => {
  const dir = tempDir(t)
  const secrets = new SecretSearch()
  secrets.add('passphrase', PASSPHRASE)
  const issue = () => {
    const leaf = authority.issue()
    secrets.addKey(leaf.privateKey)
    return leaf
  }
  const first = issue()
  const paths = writePair(dir, { ...first, keyPem: encryptedPkcs8(first, PASSPHRASE) })
  const logger = recordingLogger()
  const seen: unknown[] = [logger.lines]
  const names = ['settled', 'applied', 'rejected', 'recovered'].map((name) => `certswap:reload:${name}`)
  const hear = (message: unknown) => seen.push(message)
  for (const name of names) diagnosticsChannel.subscribe(name, hear)
  process.on('warning', hear)
  t.after(() => {
    for (const name of names) diagnosticsChannel.unsubscribe(name, hear)
    process.off('warning', hear)
  })
  const engine = await createReloadEngine({ ...paths, passphrase: PASSPHRASE, logger })
  t.after(() => engine.close())
  for (const event of ['settled', 'applied', 'rejected', 'waiting', 'recovered', 'expiring'] as const) {
    engine.on(event, hear)
  }
  const options = engine.serverOptions()
  seen.push(options, { ...options }, engine, engine.status(), engine.history(), engine.agent())

  const second = issue()
  writePair(dir, { ...second, keyPem: encryptedPkcs8(second, PASSPHRASE) })
  const applied = await engine.reload()
  assertApplied(applied)
  overwriteInPlace(paths.key, encryptedPkcs8(second, 'another passphrase'))
  const wrong = await engine.reload()
  assert.equal(wrong.problems[0]?.code, 'KEY_PASSPHRASE_WRONG')
  overwriteInPlace(paths.key, second.keyPem.slice(0, 150))
  const cut = await engine.reload()
  assert.equal(cut.problems[0]?.code, 'PEM_INVALID')
  overwriteInPlace(paths.key, issue().keyPem)
  const mismatch = await engine.reload()
  assert.equal(mismatch.outcome, 'waiting-for-pair')
  const error = await createReloadEngine({ ...paths, passphrase: PASSPHRASE, logger }).catch(
    (thrown) => thrown,
  )
  assert.equal(error.code, 'CERT_KEY_MISMATCH')
  const unknown = await createReloadEngine({ ...paths, passphrase: 5 as never }).catch((thrown) => thrown)
  const update = await engine.update({ cert: join(dir, 'nowhere') })
  seen.push(applied, wrong, cut, mismatch, error, unknown, update, engine.status(), engine.serverOptions())

  for (const one of seen) {
    for (const text of [inspect(one, { depth: 12, maxArrayLength: null, showHidden: true }), asJson(one)]) {
      assert.equal(secrets.findIn(text), undefined)
    }
  }
})

test('the search for secrets finds a key that is returned in plain text', () => {
  const leaf = authority.issue()
  const secrets = new SecretSearch()
  secrets.addKey(leaf.privateKey)
  const der = leaf.privateKey.export({ format: 'der', type: 'pkcs8' })
  assert.ok(secrets.findIn(JSON.stringify({ der })))
  assert.ok(secrets.findIn(JSON.stringify(leaf.keyPem)))
})

/** Agents refer to themselves. */
function asJson(value: unknown): string {
  const above = new Set<unknown>()
  const text = JSON.stringify(value, (_key, one) => {
    if (typeof one === 'bigint') return String(one)
    if (typeof one !== 'object' || one === null) return one
    if (above.has(one)) return null
    above.add(one)
    return one
  })
  return text ?? ''
}
