/*
 * Express 5 and HTTP/2, as documented: Express alone does not support it; with the listener of
 * `examples/drain/express-http2.js` it does, and is drained.
 */

import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

import { get } from '../../../support/clients/requests.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { startExample } from '../../../support/processes/example-process.js'
import { projectRoot } from '../../../support/processes/installed-package.js'
import { startNode } from '../../../support/processes/process-lines.js'
import { identity } from '../../../support/servers/drains.js'

const authority = createAuthority()
const ca = authority.certPem

test('examples/drain/express-http2.js answers HTTP/2 and HTTP/1.1, and SIGTERM waits for running requests', async (t) => {
  const dir = tempDir(t)
  writePair(dir, authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] }))
  const example = startExample(t, 'drain/express-http2.js', { dir })
  const port = Number((await example.next((line) => line.startsWith('listening'))).split(' ').at(-1))
  const session = http2.connect(`https://localhost:${port}`, { ca })
  t.after(() => session.destroy())
  const headers = { ':method': 'POST', ':path': '/echo', 'content-type': 'application/json' }
  const echo = session.request(headers)
  echo.end('{"a":1}')
  const echoed = text(echo)

  assert.equal(await text(session.request({ ':path': '/' })), 'hello by HTTP/2.0\n')
  assert.equal((await get({ port, ca, agent: false })).body, 'hello by HTTP/1.1\n')
  assert.deepEqual(JSON.parse(await echoed), { host: 'localhost', body: { a: 1 } })
  const slow = text(session.request({ ':path': '/slow' }))
  const slower = get({ port, ca, agent: false, path: '/slow' })
  // Answered after these two were received.
  await text(session.request({ ':path': '/' }))
  await get({ port, ca, agent: false })
  const stopped = example.stop('SIGTERM')
  assert.deepEqual([await slow, (await slower).body], ['late\n', 'late\n'])
  assert.equal(await stopped, 0)
})

test('Express alone ends the process at the first HTTP/2 request', async (t) => {
  const program = `
    import express from 'express'
    import http2 from 'node:http2'
    const server = http2.createSecureServer(${JSON.stringify({ ...identity, allowHTTP1: true })}, express())
    server.listen(0, () => console.log(server.address().port))`
  const child = startNode(t, ['--input-type=module', '-e', `${program}`], { cwd: projectRoot, quiet: true })
  const port = Number(await child.next(() => true))
  await ask(t, port)
  assert.equal(await child.exit, 1)
})

function ask(t: TestContext, port: number): Promise<void> {
  const session = http2.connect(`https://localhost:${port}`, { rejectUnauthorized: false })
  t.after(() => session.destroy())
  session.on('error', () => {})
  return new Promise((resolve) => {
    session
      .request({ ':path': '/' })
      .on('error', () => {})
      .on('close', resolve)
      .resume()
  })
}
