/* An application gives its logger to the engine once. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'

import { createControlServer } from '../../../src/main/control/index.js'
import { createDrain, handleSignals } from '../../../src/main/drain/index.js'
import { createNotifier } from '../../../src/main/observe/systemd/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

test('a drain, its signals, a control server and a notifier log to the logger of their engine', async (t) => {
  const dir = tempDir(t)
  const [logger, own] = [recordingLogger(), recordingLogger()]
  const engine = await startEngine(t, { ...writePair(dir, createAuthority().issue()), logger })
  const server = tls.createServer(engine.serverOptions())
  engine.attach(server)
  await listen(t, server)

  const control = await createControlServer({ engine, path: join(dir, 'control.sock') })
  t.after(() => control.close())
  const drain = createDrain({ servers: [server], engine, lameDuckMs: 0 })
  const release = handleSignals(drain, engine, { exit: () => {} })
  t.after(release)
  process.env['NOTIFY_SOCKET'] = 'not an address'
  t.after(() => delete process.env['NOTIFY_SOCKET'])
  createNotifier({ engine })
  createNotifier({ engine, logger: own })

  const drained = once(process, 'SIGTERM')
  process.kill(process.pid, 'SIGTERM')
  await drained
  await drain.run?.complete()
  const lines = logger.lines.map(({ message }) => message)
  for (const line of [
    'the state of this service cannot be reported to systemd',
    'draining after a signal; a further signal forces the drain',
    'draining',
    'drained',
  ])
    assert.ok(lines.includes(line), `${line}: ${lines.join('\n')}`)
  assert.equal(own.lines.length, 1)
})
