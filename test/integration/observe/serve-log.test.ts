/*
 * `certswap serve` whose log cannot be written, because its reader is suspended or has ended: this must neither delay TLS, nor
 * prevent the process from ending, nor end it.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { eventually } from '../../../support/base/eventually.js'
import { servedBy } from '../../../support/engine/engines.js'
import { renewedSite } from '../../../support/engine/renewed-site.js'
import { PROGRAM } from '../../../support/processes/program.js'
import { type StalledPipe, stalledPipe } from '../../../support/processes/stalled-pipe.js'
import { request } from '../../../support/servers/control.js'
import { freePort } from '../../../support/servers/free-port.js'

for (const processes of [1, 2]) {
  test(`with a full log pipe, ${processes} serving process(es) start, reload, serve and end on SIGTERM`, async (t) => {
    const { child, renewed, end } = await serveInto(t, stalledPipe(t), processes)
    await renewed()
    assert.equal(await end(), 0, `killed: ${child.signalCode}`)
  })
}

test('a log reader that ends does not end the server: it reloads, serves, and ends on SIGTERM', async (t) => {
  const pipe = stalledPipe(t)
  pipe.read()
  const { renewed, end, metric } = await serveInto(t, pipe, 1)
  pipe.endReader()
  await renewed()
  assert.ok((await metric('certswap_log_lines_dropped_total')) > 0)
  assert.equal(await end(), 0)
})

interface Served {
  readonly child: ChildProcess
  /** Replaces the pair, reloads, and waits until the new one is served. */
  renewed(): Promise<void>
  /** The value of a metric without labels. */
  metric(name: string): Promise<number>
  /** Sends SIGTERM and returns the exit code. */
  end(): Promise<number | null>
}

async function serveInto(t: TestContext, { fd }: StalledPipe, processes: number): Promise<Served> {
  const { cwd, args, renew } = renewedSite(t)
  const port = await freePort()
  const socket = join(cwd, 'control.sock')
  const flags = ['--listen', `127.0.0.1:${port}`, '--control', socket, '--log-level', 'trace']
  const more = processes > 1 ? ['--processes', String(processes)] : []
  const child = spawn(process.execPath, [PROGRAM, 'serve', ...args, ...flags, ...more], {
    cwd,
    stdio: ['ignore', fd, fd],
  })
  t.after(() => child.kill('SIGKILL'))
  const gone = once(child, 'exit') as Promise<[number | null]>
  await eventually('the control socket', () => existsSync(socket))
  return {
    child,
    async renewed() {
      const fingerprint256 = renew()
      const { status } = await request(socket, '/reload_certs', { method: 'POST' })
      assert.deepEqual([status, await servedBy(port)], [200, fingerprint256])
    },
    async metric(name) {
      const { text } = await request(socket, '/metrics')
      return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1])
    },
    async end() {
      child.kill('SIGTERM')
      return (await gone)[0]
    },
  }
}
