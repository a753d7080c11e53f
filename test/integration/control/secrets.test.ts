import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { createMetrics } from '../../../src/main/observe/metrics.js'
import { writePair } from '../../../support/files/files.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { type ControlRequest, controlledEngine, request } from '../../../support/servers/control.js'

const PASSPHRASE = 'open-sesame-4711'

test('no answer to any request contains a byte of a file or a passphrase, even if the request fails', async (t) => {
  const { socket, engine, dir, files, rotate, first, log } = await controlledEngine(t, {
    control: (engine) => ({ metrics: createMetrics(engine) }),
  })
  const answers: string[] = []
  const ask = async (path: string, options?: ControlRequest) => {
    const { text, headers } = await request(socket, path, options)
    answers.push(text, JSON.stringify(headers))
  }
  const patch = (body: object) =>
    ask('/config', {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  const askAll = async () => {
    for (const headers of [{}, { Accept: 'text/plain' }]) {
      for (const path of ['/certs', '/certs/default', '/status', '/history', '/metrics', '/readyz'])
        await ask(path, { headers })
      for (const query of ['', '?dry_run=1', '?force=1']) {
        await ask(`/reload_certs${query}`, { method: 'POST', headers })
      }
    }
  }
  // The server answers an average of 5 requests a second.
  const askForReasons = async () => {
    for (const headers of [{}, { Accept: 'text/plain' }]) {
      await ask('/reload_certs', { method: 'POST', headers })
      await ask('/status', { headers })
    }
  }

  await askAll()
  const second = rotate()
  await askAll()
  const { keyPem } = createAuthority().issue()
  for (const content of [keyPem, keyPem.slice(0, 120), `${first.certPem}${PASSPHRASE}`, PASSPHRASE, '']) {
    writeFileSync(files.cert, content)
    await askForReasons()
    writeFileSync(files.key, content)
    await askForReasons()
  }
  await askAll()
  mkdirSync(join(dir, 'other'))
  const other = writePair(join(dir, 'other'), second)
  writeFileSync(join(dir, 'passphrase'), PASSPHRASE)
  await patch({ ...other, passphrase_file: join(dir, 'passphrase') })
  await patch({ cert: join(dir, 'passphrase') })
  await patch({ cert: other.key, key: other.cert })
  await patch({ pfx: join(dir, 'passphrase'), cert: null, key: null })
  await ask('/rollback', { method: 'POST' })

  const outputs = [...answers, ...log.map((entry) => JSON.stringify(entry)), JSON.stringify(engine.status())]
  const secrets = [first.keyPem, second.keyPem, keyPem].flatMap((pem) => pem.split('\n').slice(1, -2))
  assert.ok(secrets.length >= 6)
  for (const text of outputs) {
    for (const secret of [...secrets, PASSPHRASE, '-----BEGIN']) {
      assert.ok(!text.includes(secret), `${secret.slice(0, 12)} in ${text}`)
    }
  }
})
