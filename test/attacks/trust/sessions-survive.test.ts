import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { createReloadEngine } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const root = createAuthority({ name: 'Session Root' })
const client = root.issue({ names: ['client'] })

const UPDATES: readonly [string, Record<string, unknown>][] = [
  ['partial chains are allowed', { tls: { allowPartialTrustChain: true } }],
  ['clients without a trusted certificate are admitted', { rejectUnauthorized: false }],
  ['the policy for weak keys changes', { policy: { weakKey: 'warn' } }],
]

for (const [what, changes] of UPDATES) {
  test(`sessions survive a reload exactly as its result reports: ${what}`, async (t) => {
    const { engine, connect } = await site(t)
    const { session } = await connect()
    const result = await engine.update(changes)
    assert.equal(result.outcome, 'applied')
    const { reused } = await connect(session)
    assert.equal(result.diff?.sessionsSurvive, reused)
  })
}

test('sessions survive a reload exactly as its result reports: another ticket secret', async (t) => {
  const { engine, connect, write } = await site(t)
  const { session } = await connect()
  write('secret', Buffer.alloc(48, 2))
  const result = await engine.reload()
  assert.equal(result.outcome, 'applied')
  const { reused } = await connect(session)
  assert.deepEqual([result.diff?.sessionsSurvive, reused], [false, false])
})

async function site(t: TestContext) {
  const dir = tempDir(t)
  const write = (name: string, content: string | Buffer) => {
    writeFileSync(join(dir, name), content, { mode: 0o600 })
    return join(dir, name)
  }
  const leaf = root.issue()
  const engine = await createReloadEngine({
    ...{ cert: write('c', leaf.chainPem), key: write('k', leaf.keyPem), ca: write('ca', root.certPem) },
    tickets: { secretFile: write('secret', Buffer.alloc(48, 1)) },
    requestCert: true,
    logger: recordingLogger(),
  })
  t.after(() => engine.close())
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  const port = await listen(t, server)
  const connect = (session?: Buffer) =>
    handshake({
      port,
      cert: client.chainPem,
      key: client.keyPem,
      confirm: true,
      ...(session ? { session } : {}),
    })
  return { engine, connect, write }
}
