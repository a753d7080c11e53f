import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { request } from '../../../support/servers/control.js'

const SCRIPT = fileURLToPath(new URL('../../../support/servers/control-process.js', import.meta.url))
const TAKEOVERS = 4
const CLIENTS = 6

test('processes that take over a socket from each other under load lose no request and no socket file', async (t) => {
  const dir = tempDir(t)
  writePair(dir, createAuthority().issue())
  const path = join(dir, 'control.sock')
  let current = await startProcess(t, dir, path)

  const answeredBy = new Map<number, number>()
  let running = true
  const load = Array.from({ length: CLIENTS }, async () => {
    while (running) {
      const { status, json } = await request(path, '/status')
      assert.equal(status, 200)
      answeredBy.set(json.pid, (answeredBy.get(json.pid) ?? 0) + 1)
    }
  })
  const failed = Promise.all(load)

  const pids = [current.pid as number]
  const takeovers = async () => {
    for (let i = 0; i < TAKEOVERS; i++) {
      const next = await startProcess(t, dir, path)
      pids.push(next.pid as number)
      current.kill('SIGTERM')
      const [code] = await once(current, 'exit')
      assert.equal(code, 0)
      assert.ok(lstatSync(path).isSocket())
      current = next
      const before = answeredBy.get(current.pid as number) ?? 0
      while ((answeredBy.get(current.pid as number) ?? 0) < before + 5) await request(path, '/healthz')
    }
  }
  // A lost request fails here at once.
  await Promise.race([takeovers(), failed])
  running = false
  await failed

  assert.deepEqual([...answeredBy.keys()].sort(), pids.sort())
  current.kill('SIGTERM')
  await once(current, 'exit')
  assert.equal(existsSync(path), false)
  assert.deepEqual(readdirSync(dir).sort(), ['tls.crt', 'tls.key'])
})

async function startProcess(t: TestContext, dir: string, path: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [SCRIPT, dir, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return child
}
