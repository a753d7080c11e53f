import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { connect } from 'node:tls'

import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswapServe } from '../../../support/processes/program.js'
import { rawConnection, received, request } from '../../../support/servers/control.js'

test('while the program stops, its control server reports it, and is the last to close', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, createAuthority().issue())
  const program = await certswapServe(t, ['--cert', 'tls.crt', '--key', 'tls.key'], { cwd })
  const control = program.control as string
  assert.equal((await request(control, '/readyz')).status, 200)
  // A request that does not end delays the stop.
  const client = connect({ port: program.port, host: '127.0.0.1', rejectUnauthorized: false })
  t.after(() => client.destroy())
  client.on('error', () => {})
  await once(client, 'secureConnect')
  client.write('GET / HTTP/1.1\r\nHost: loc')

  const ended = program.stop()
  while ((await request(control, '/readyz')).status !== 503);
  assert.equal((await request(control, '/status')).status, 200)
  assert.equal((await request(control, '/healthz')).status, 200)
  assert.equal((await request(control, '/drain')).json.state, 'closing')
  assert.equal((await request(control, '/reload_certs', { method: 'POST' })).json.code, 'DRAINING')
  const large = await request(control, '/reload_certs', { method: 'POST', body: 'x'.repeat(1024 * 1024) })
  assert.equal(large.status, 413)
  const browser = await request(control, '/status', { headers: { Origin: 'null' } })
  assert.equal(browser.status, 403)
  const slow = await rawConnection(t, control)
  slow.write('GET /status HT')

  client.destroy()
  assert.equal(await ended, 0)
  assert.equal(existsSync(control), false)
  assert.equal(await received(slow), '')
})
